"""The README's screenshot: `python -m tests.browser.portrait [URL] [FILE]` against a running Easel."""

from __future__ import annotations

import asyncio
import io
import sys

from PIL import Image
from playwright.async_api import async_playwright, expect

from tests.browser import chromium

PROMPTS = (
    "a christmas tree in the snow",
    "a car in the city",
    "a cactus in the desert",
    "a penguin on a blue background",
    "a castle in the mountains",
    "a rainbow in the sky",
    "a palm tree on the beach",
    "a rocket in the night sky",
    "a sailboat on the sea at sunset",
)
SIZE = {"width": 1280, "height": 840}
GRAIN = 5
"""Levels of colour that become one: nobody sees it, and the file is half as large."""
SEED = 7
PATIENCE_MS = 120_000
SEEN = """() => [...document.querySelectorAll(".tile")].every((tile) =>
  tile.getBoundingClientRect().top > innerHeight || tile.querySelector(".picture.shown"))"""
"""Every picture within the window is there; those below it need not be."""


def coarser(level: int) -> int:
    """0 … 255 in fewer steps, white and black kept."""
    return min(255, (level + GRAIN // 2) // GRAIN * GRAIN)


async def main(url: str, path: str) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.executable(), args=[*chromium.ARGUMENTS])
        page = await browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(url)
        await page.get_by_text("Details").click()
        await page.get_by_label("Seed, for the same picture again").fill(str(SEED))
        await page.get_by_text("Details").click()
        for prompt in PROMPTS:
            await page.get_by_label("Prompt", exact=True).fill(prompt)
            await page.locator("#create button[type=submit]").click()
            await expect(page.locator("#stage .picture.shown")).to_have_attribute("alt", prompt)
        await page.wait_for_function(SEEN)
        await expect(page.locator("#line-text")).to_contain_text("ready")
        await page.mouse.move(0, SIZE["height"] - 1)
        await page.evaluate("document.activeElement.blur()")
        await page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
        data = await page.screenshot()
        await browser.close()
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").point(coarser).save(path, optimize=True)


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *("http://127.0.0.1:8000", "docs/page.png")[len(sys.argv) - 1 :]]
    asyncio.run(main(*arguments))
