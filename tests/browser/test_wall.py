"""The wall of pictures: finding, opening, walking, comparing; many of them; everybody's."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from contracts.images import THUMBNAIL_SIDE
from tests.browser.desk import Desk, accessible
from tests.support.eventually import eventually


async def many(desk: Desk, jobs: int, pictures: int, side: int = 32) -> None:
    """Have pictures drawn behind the page's back."""
    async with httpx.AsyncClient(base_url=desk.gateway.url, timeout=60) as http:
        for number in range(jobs):
            asked = {
                "prompt": f"fox number {number}",
                "num_images": pictures,
                "width": side,
                "height": side,
                "steps": 1,
            }
            (await http.post("/generate", json=asked)).raise_for_status()


async def test_search_finds_pictures_by_words_and_by_seed(desk: Desk) -> None:
    await desk.draw("a red fox")
    await desk.draw("a blue boat")
    search = desk.page.get_by_label("Search pictures")
    await search.fill("fox red")
    await desk.shows(1)
    await expect(desk.page.get_by_role("img", name="a red fox")).to_be_visible()
    boat = (await desk.jobs())[0]
    await search.fill(str(boat["seed"]))
    await expect(desk.page.get_by_role("img", name="a blue boat")).to_be_visible()
    await desk.shows(1)
    await search.fill("")
    await desk.shows(2)


async def test_arrows_walk_through_the_pictures_and_escape_leaves(desk: Desk) -> None:
    await desk.draw("a fox")
    await desk.draw("a hare")
    await desk.tiles().first.get_by_role("button", name="Open: a hare").press("Enter")
    viewer = desk.page.locator("#viewer")
    await expect(viewer.locator(".view-prompt")).to_have_text("a hare")
    await desk.page.keyboard.press("ArrowRight")
    await expect(viewer.locator(".view-prompt")).to_have_text("a fox")
    await desk.page.keyboard.press("ArrowLeft")
    await expect(viewer.locator(".view-prompt")).to_have_text("a hare")
    await desk.page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await expect(desk.page.get_by_role("button", name="Open: a hare")).to_be_focused()
    await desk.page.keyboard.press("ArrowRight")
    await expect(desk.page.get_by_role("button", name="Open: a fox")).to_be_focused()


async def test_a_picture_tells_how_it_was_made_and_has_an_address(desk: Desk) -> None:
    await desk.draw("a fox")
    await desk.page.get_by_role("button", name="Open: a fox").click()
    facts = desk.page.locator("#viewer .facts-list")
    (job,) = await desk.jobs()
    for said in (str(job["seed"]), "fake", "painter", "64 \u00d7 64"):
        await expect(facts).to_contain_text(said)
    await desk.page.reload()
    await expect(desk.page.locator("#viewer .view-prompt")).to_have_text("a fox")


async def test_seeds_are_compared_side_by_side_with_what_differs_marked(desk: Desk) -> None:
    await many(desk, 1, 3)
    await desk.shows(3)
    await desk.page.get_by_role("button", name="Compare", exact=True).click()
    for pick in (await desk.page.locator(".pick").all())[:2]:
        await pick.click()
    await desk.page.get_by_role("button", name="Compare 2").click()
    compare = desk.page.locator("#compare")
    await expect(compare.locator("img.shown")).to_have_count(2)
    await expect(compare.locator("dd.differs")).to_have_count(2)  # the two seeds, and nothing else


async def test_hundreds_of_pictures_are_there_and_only_the_near_ones_in_memory(desk: Desk) -> None:
    await many(desk, 75, 4)
    await desk.page.reload()
    await expect(desk.page.locator(".tile .picture.shown").first).to_be_visible()
    for _ in range(4):
        await desk.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await asyncio.sleep(0)
    await desk.shows(300)
    await expect(desk.page.get_by_role("img", name="fox number 0", exact=True).first).to_be_visible()
    assert await desk.page.locator(".tile .picture.shown").count() < 250


async def test_search_goes_back_to_pictures_that_the_page_had_not_loaded(desk: Desk) -> None:
    await desk.draw("a very old boat")
    await many(desk, 65, 1)
    await desk.page.reload()
    await expect(desk.page.locator(".tile .picture.shown").first).to_be_visible()
    await desk.page.get_by_label("Search pictures").fill("very old")
    await expect(desk.page.get_by_role("img", name="a very old boat")).to_be_visible()
    await desk.shows(1)


async def thumbnail_is_kept(desk: Desk) -> bool:
    """Of the older of two jobs; that is soon after it ended."""
    job = (await desk.jobs())[1]
    async with httpx.AsyncClient(base_url=desk.gateway.url) as http:
        return (await http.get(f"/job/{job['job_id']}/thumbnail")).headers["content-type"] == "image/jpeg"


async def test_the_gallery_shows_small_forms_and_the_viewer_the_picture_itself(desk: Desk) -> None:
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url.removeprefix(desk.gateway.url)))
    await many(desk, 2, 1, side=512)
    await eventually(partial(thumbnail_is_kept, desk))
    asked.clear()
    await desk.page.reload()
    await expect(desk.page.locator(".tile .picture.shown")).to_have_count(2)
    newest, older = (str(job["job_id"]) for job in await desk.jobs())
    assert f"/job/{newest}/image?index=0" in asked, "the stage is large"
    assert f"/job/{older}/image?index=0" not in asked
    assert f"/job/{older}/thumbnail?index=0" in asked
    assert await desk.page.locator("#gallery .picture").evaluate("(image) => image.naturalWidth") == THUMBNAIL_SIDE
    await desk.page.locator("#gallery .open").click()
    await expect(desk.page.locator("#viewer img.shown")).to_be_visible()
    assert await desk.page.locator("#viewer img").evaluate("(image) => image.naturalWidth") == 512


async def test_a_difference_between_prompts_is_told_word_by_word(desk: Desk) -> None:
    told = await desk.page.evaluate(
        "async ([before, after]) => (await import('/web/diff.js')).differences(before, after)",
        ["a red fox in snow", "a fluffy red fox in deep snow"],
    )
    assert "".join(text for kind, text in told if kind != "added") == "a red fox in snow"
    assert "".join(text for kind, text in told if kind != "removed") == "a fluffy red fox in deep snow"
    assert [text.strip() for kind, text in told if kind == "added"] == ["fluffy", "deep"]


async def test_without_an_enhancer_the_button_says_why_it_is_off(desk: Desk) -> None:
    enhance = desk.page.get_by_role("button", name="Enhance")
    await expect(enhance).to_be_disabled()
    assert "No enhancer is on the bus" in (await enhance.get_attribute("title") or "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation_in_any_state(desk: Desk, scheme: str) -> None:
    await desk.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    await accessible(desk.page, "empty")
    await desk.draw("a fox")
    await desk.page.get_by_text("Details").click()
    await desk.ask("slow hare")
    await desk.shows(1, "forming")
    await accessible(desk.page, "forming")
    desk.engine.end()
    await desk.shows(2)
    await desk.ask("fail at this")
    await desk.shows(1, "failed")
    await desk.page.locator("#line").click()
    await accessible(desk.page, "failed, with the devices")
    await desk.page.keyboard.press("Escape")
    await desk.page.get_by_role("button", name="Open: a fox").click()
    await expect(desk.page.locator("#viewer img.shown")).to_be_visible()
    await accessible(desk.page, "viewer")
    await desk.page.locator("#viewer").get_by_role("button", name="Edit").click()
    await expect(desk.page.locator("#editor img.shown")).to_be_visible()
    await accessible(desk.page, "editor")
    await desk.page.keyboard.press("Escape")
    await desk.page.get_by_role("button", name="Compare", exact=True).click()
    for pick in (await desk.page.locator(".pick").all())[:2]:
        await pick.click()
    await accessible(desk.page, "choosing")
    await desk.page.get_by_role("button", name="Compare 2").click()
    await expect(desk.page.locator("#compare img.shown")).to_have_count(2)
    await accessible(desk.page, "side by side")


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_every_width(desk: Desk, width: int, scheme: str, tmp_path: Path) -> None:
    """Screenshots go to EASEL_SCREENSHOTS, if that is set, to be looked at."""
    folder = Path(os.environ.get("EASEL_SCREENSHOTS", tmp_path))
    await desk.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    await desk.page.set_viewport_size({"width": width, "height": 900})
    await many(desk, 3, 2)
    await desk.ask("slow hare in a meadow of long words that have to be broken somewhere")
    desk.engine.allow(2)
    await expect(desk.page.locator(".placard")).to_contain_text("Step 2 of 4")
    for place in ("wall", "viewer"):
        if place == "viewer":
            await desk.tiles().first.locator(".open").click()
            await expect(desk.page.locator("#viewer img.shown")).to_be_visible()
        folder.mkdir(parents=True, exist_ok=True)
        await desk.page.screenshot(path=folder / f"{place}-{width}-{scheme}.png")
        assert await desk.page.evaluate("document.scrollingElement.scrollWidth") <= width
