"""Changing pictures: finished ones, parts of them, and one's own."""

from __future__ import annotations

import io

from PIL import Image
from playwright.async_api import expect

from tests.browser.desk import Desk


async def test_a_finished_picture_is_changed_as_a_whole(desk: Desk) -> None:
    await desk.draw("a fox")
    await desk.page.get_by_role("button", name="Open: a fox").click()
    await desk.page.locator("#viewer").get_by_role("button", name="Edit").click()
    editor = desk.page.locator("#editor")
    await editor.get_by_label("What it should show").fill("a fox with a hat")
    await editor.get_by_role("button", name="Draw the change").click()
    await expect(editor).to_be_hidden()
    await desk.shows(2)
    request, inputs = desk.engine.begun[-1]
    assert request.prompt == "a fox with a hat"
    assert inputs.image is not None
    assert inputs.mask is None


async def test_only_what_is_painted_over_changes(desk: Desk) -> None:
    await desk.draw("a fox")
    await desk.page.get_by_role("button", name="Open: a fox").click()
    await desk.page.locator("#viewer").get_by_role("button", name="Edit").click()
    editor = desk.page.locator("#editor")
    await expect(editor.locator("img.shown")).to_be_visible()
    box = await editor.locator("canvas").bounding_box()
    assert box is not None
    middle, quarter = box["y"] + box["height"] / 2, box["width"] / 4
    await desk.page.mouse.move(box["x"] + quarter, middle)
    await desk.page.mouse.down()
    await desk.page.mouse.move(box["x"] + quarter, middle + 20, steps=4)
    await desk.page.mouse.up()
    await editor.get_by_role("button", name="Draw the change").click()
    await desk.shows(2)
    _, inputs = desk.engine.begun[-1]
    assert inputs.mask is not None
    assert inputs.mask.getpixel((inputs.mask.width // 4, inputs.mask.height // 2)) == 255
    assert inputs.mask.getpixel((inputs.mask.width - 2, 2)) == 0


async def test_a_picture_of_ones_own_is_where_it_starts(desk: Desk) -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "tomato").save(data, "PNG")
    await desk.page.locator("input[type=file]").set_input_files(
        {"name": "tomato.png", "mimeType": "image/png", "buffer": data.getvalue()}
    )
    await expect(desk.page.get_by_text("Starts from this picture")).to_be_visible()
    await desk.draw("a red balloon")
    _, inputs = desk.engine.begun[-1]
    assert inputs.image is not None
    assert inputs.image.getpixel((32, 32)) == (255, 99, 71)
