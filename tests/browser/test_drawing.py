"""From words to pictures, and everything that can come between."""

from __future__ import annotations

import httpx
from playwright.async_api import expect

from contracts.images import Lora
from runtime.messaging.settings import BusSettings
from tests.browser.desk import Desk
from tests.browser.stepped_engine import SteppedEngine
from tests.support.workers import running_worker


async def test_a_prompt_becomes_a_picture_that_forms_before_ones_eyes(desk: Desk) -> None:
    await expect(desk.page.get_by_role("heading", name="What would you like to see?")).to_be_visible()
    await desk.ask("slow fox")
    await desk.shows(1, "forming")
    desk.engine.allow()
    await expect(desk.page.get_by_text("Step 1 of 4").last).to_be_visible()
    first = await desk.page.locator(".tile .preview").get_attribute("src")
    desk.engine.allow(2)
    await expect(desk.page.get_by_text("Step 3 of 4").last).to_be_visible()
    await expect(desk.page.locator(".tile .preview")).not_to_have_attribute("src", first or "")
    desk.engine.allow()
    await expect(desk.page.get_by_role("img", name="slow fox")).to_be_visible()
    await expect(desk.page.locator(".tile .preview")).to_have_count(0)


async def test_the_form_offers_what_the_live_models_take(desk: Desk) -> None:
    await desk.page.get_by_text("Details").click()
    steps = desk.page.get_by_label("Steps", exact=True)
    assert (await steps.get_attribute("min"), await steps.get_attribute("max")) == ("1", "1000")
    await steps.fill("7")
    await desk.page.get_by_label("Landscape", exact=False).check()
    await desk.page.get_by_label("2", exact=True).check()
    await desk.page.get_by_label("Seed, for the same picture again").fill("41")
    await desk.page.get_by_label("Without").fill("fog")
    await desk.ask("two foxes")
    await desk.shows(2)
    request, _ = desk.engine.begun[-1]
    assert (request.num_inference_steps, request.seed, request.num_images) == (7, 41, 2)
    assert request.width > request.height
    assert request.negative_prompt == "fog"


async def test_a_lora_is_chosen_and_told_with_the_picture(desk: Desk) -> None:
    await desk.page.get_by_text("Details").click()
    await expect(desk.page.get_by_label("How much of it")).to_be_hidden()
    await desk.page.get_by_label("LoRA").select_option("styles/ink")
    await desk.page.get_by_label("How much of it").fill("0.5")
    await desk.draw("an inky fox")
    assert desk.engine.begun[-1][0].loras == (Lora("styles/ink", 0.5),)
    await desk.page.get_by_role("button", name="Open: an inky fox").click()
    await expect(desk.page.get_by_text("styles/ink 0.5")).to_be_visible()


async def test_a_job_can_be_cancelled_while_it_forms_and_while_it_waits(desk: Desk) -> None:
    await desk.ask("slow one")
    await desk.shows(1, "forming")
    await desk.ask("slow two")
    await expect(desk.page.locator(".placard")).to_contain_text("Waiting for a free worker")
    await desk.page.get_by_role("button", name="Cancel all").click()
    await desk.shows(0, "forming")
    assert {job["status"] for job in await desk.jobs()} == {"cancelled"}
    desk.engine.end()
    await desk.draw("afterwards")
    assert "slow two" not in desk.engine.drawn


async def test_escape_cancels_the_newest_job(desk: Desk) -> None:
    await desk.ask("slow mistake")
    await desk.shows(1, "forming")
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator(".note", has_text="Cancelled")).to_be_visible()
    await desk.shows(0, "forming")


async def test_a_waiting_job_says_how_many_are_before_it(desk: Desk) -> None:
    for prompt in ("slow a", "slow b", "slow c"):
        await desk.ask(prompt)
    await expect(desk.page.locator(".placard")).to_contain_text("Waiting · 1 job ahead")
    desk.engine.allow(4)
    await expect(desk.page.locator(".placard")).to_contain_text("Waiting for a free worker")


async def test_a_failure_is_told_in_words_and_can_be_tried_again(desk: Desk) -> None:
    await desk.ask("fail at this")
    failed = desk.tiles("failed")
    await expect(failed).to_contain_text("fail at this")
    await expect(failed.locator(".said")).not_to_be_empty()
    await failed.get_by_role("button", name="Try again").click()
    await desk.shows(2, "failed")


async def test_a_refusal_stands_beside_the_button_and_keeps_the_words(desk: Desk) -> None:
    await desk.page.evaluate(
        "localStorage.setItem('easel.draft', JSON.stringify({prompt: 'a fox', width: 20000, height: 64}))"
    )
    await desk.page.reload()
    await desk.ask("a fox")
    await expect(desk.page.get_by_role("alert")).to_contain_text("20000")
    await expect(desk.page.get_by_label("Prompt", exact=True)).to_have_value("a fox")


async def test_retry_draws_the_same_words_with_another_seed(desk: Desk) -> None:
    await desk.draw("a fox")
    await desk.page.locator(".placard").get_by_role("button", name="Retry").click()
    await desk.shows(2)
    first, second = (request for request, _ in desk.engine.begun)
    assert (first.prompt, first.width, first.num_inference_steps) == (
        second.prompt,
        second.width,
        second.num_inference_steps,
    )
    assert first.seed != second.seed


async def test_a_download_has_the_bytes_that_the_gateway_has(desk: Desk) -> None:
    await desk.draw("a Red Fox, in the snow!")
    await desk.tiles().get_by_role("button", name="Open").click()
    async with desk.page.expect_download() as downloading:
        await desk.page.get_by_role("dialog").get_by_role("button", name="Download").click()
    download = await downloading.value
    (job,) = await desk.jobs()
    async with httpx.AsyncClient() as http:
        kept = await http.get(f"{desk.gateway.url}/job/{job['job_id']}/image")
    assert (await download.path()).read_bytes() == kept.content
    assert download.suggested_filename == f"a-red-fox-in-the-snow-{job['seed']}.png"


async def test_the_settings_of_a_picture_can_be_used_again(desk: Desk) -> None:
    await desk.draw("a fox")
    await desk.page.get_by_label("Prompt", exact=True).fill("something else")
    await desk.tiles().get_by_role("button", name="Open").click()
    await desk.page.get_by_role("button", name="Use settings").click()
    await expect(desk.page.get_by_label("Prompt", exact=True)).to_have_value("a fox")
    await desk.page.keyboard.press("Control+Enter")
    await desk.shows(2)
    first, second = (request for request, _ in desk.engine.begun)
    assert first.seed == second.seed


async def test_a_picture_is_drawn_on_the_device_that_was_chosen(desk: Desk, bus_settings: BusSettings) -> None:
    async with running_worker(bus_settings, SteppedEngine(), name="sculptor", pool="studio"):
        await desk.page.get_by_text("Details").click()
        for name in ("sculptor", "painter"):
            await desk.page.get_by_role("combobox", name="Device").select_option(name)
            await desk.draw(f"a fox by the {name}")
            assert (await desk.jobs())[0]["worker"] == name
    await expect(desk.page.get_by_role("combobox", name="Device")).to_have_count(0)
