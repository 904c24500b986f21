"""How quick the page is, on this machine: `python -m tests.browser.measure [URL]` against a running Easel.

Prints the time from a press of the button to the first event of the job on the page, and how evenly the wall scrolls past
500 pictures, beside the same while nothing moves. It draws the pictures first, at the model's smallest size and fewest
steps, if they are not there.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import httpx
from playwright.async_api import Page, async_playwright

from tests.browser import chromium

PICTURES = 500
TRIALS = 5
AT_ONCE = 10
STRIDE_PIXELS = 120
FRAMES = """
async (pixels) => {
  const gaps = [];
  let last = performance.now();
  for (let step = 0; step < 300; step += 1) {
    scrollBy(0, pixels);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  return gaps;
}
"""
FIRST_EVENT = """
() => new Promise((resolve) => {
  const stage = document.getElementById("stage");
  const began = performance.now();
  const watch = new MutationObserver(() => {
    if (!stage.querySelector(".tile.forming")) return;
    watch.disconnect();
    resolve(performance.now() - began);
  });
  watch.observe(stage, { childList: true, subtree: true, attributes: true });
  document.querySelector("#create button[type=submit]").click();
})
"""


async def fill(url: str) -> None:
    """Have as many pictures as are measured with."""
    async with httpx.AsyncClient(base_url=url, timeout=300) as http:
        model = (await http.get("/v1/models")).json()["data"][0]
        side, steps = model["min_size"], model["min_steps"]
        jobs = (await http.get("/page/jobs", params={"limit": 1000})).json()["jobs"]
        have = sum(len(job["pictures"]) for job in jobs)
        asked = {"prompt": "a yellow tulip", "num_images": AT_ONCE, "width": side, "height": side, "steps": steps}
        for _ in range(max(0, PICTURES - have) // AT_ONCE):
            (await http.post("/generate", json=asked)).raise_for_status()


async def first_events(page: Page) -> list[float]:
    """Milliseconds from the press to the job on the page, for each trial."""
    found = []
    for trial in range(TRIALS):
        await page.locator("#prompt").fill(f"a yellow tulip {trial}")
        await page.locator("#create button[type=submit]:enabled").wait_for()
        found.append(await page.evaluate(FIRST_EVENT))
        await page.locator(".placard", has_text="drawn in").wait_for()
    return found


async def frames(page: Page, pixels: int) -> str:
    """How far frames are apart while the page scrolls by so much in each."""
    gaps = sorted(await page.evaluate(FRAMES, pixels))
    return f"median {statistics.median(gaps):.1f} ms a frame, 95th percentile {gaps[len(gaps) * 95 // 100]:.1f} ms"


async def main(url: str) -> None:
    await fill(url)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.executable(), args=[*chromium.ARGUMENTS])
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        began = time.perf_counter()
        await page.goto(url)
        await page.locator(".tile .picture.shown").first.wait_for()
        print(f"load to first picture: {1000 * (time.perf_counter() - began):.0f} ms")
        events = await first_events(page)
        print(f"press to job on the page: median {statistics.median(events):.0f} ms, worst {max(events):.0f} ms")
        print(f"standing still: {await frames(page, 0)}")
        scrolled = await frames(page, STRIDE_PIXELS)
        print(f"scrolling past {await page.locator('.tile').count()} pictures: {scrolled}")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
