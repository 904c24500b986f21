"""What a test of the page holds in its hands: the browser's page, the system behind it, and words for what it does."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.browser.stepped_engine import SteppedEngine
from tests.support.gateways import GatewayProcess

SETTLED = """document.getAnimations()
  .filter((animation) => animation.effect.getComputedTiming().iterations !== Infinity)
  .forEach((animation) => animation.finish())"""
"""Nothing fades or moves any more but what does so for ever. Not waited for: a page that is not painted never gets there."""
PATIENCE_MS = 45_000
"""Longer than any machine takes; nothing waits that long when it works."""


@dataclass
class Desk:
    """One page in front of a gateway with a worker."""

    page: Page
    gateway: GatewayProcess
    engine: SteppedEngine
    complaints: list[str] = field(default_factory=list)
    """What the browser's console reported as an error."""

    async def open(self, path: str = "/") -> None:
        """Load the page and wait until it can draw."""
        await self.page.goto(self.gateway.url + path)
        await expect(self.page.locator("#line-text")).to_contain_text("cpu (fake)")

    async def ask(self, prompt: str) -> None:
        """Write a prompt and have it drawn."""
        await self.page.get_by_label("Prompt", exact=True).fill(prompt)
        await expect(self.page.locator("#create button[type=submit]")).to_be_enabled()
        await self.page.keyboard.press("Control+Enter")

    def tiles(self, state: str = "done") -> Locator:
        """Pictures on the wall: `done`, `forming`, `waiting` or `failed`."""
        return self.page.locator(f".tile.{state}")

    async def shows(self, count: int, state: str = "done") -> None:
        await expect(self.tiles(state)).to_have_count(count)

    async def draw(self, prompt: str) -> None:
        """Have a picture drawn and wait until it is seen."""
        before = await self.page.locator(".tile .picture.shown").count()
        await self.ask(prompt)
        await expect(self.page.locator(".tile .picture.shown")).to_have_count(before + 1)

    async def jobs(self, key: str = "") -> list[dict[str, object]]:
        """What the gateway says, newest first."""
        headers = {"x-api-key": key} if key else {}
        async with httpx.AsyncClient() as http:
            listed: list[dict[str, object]] = (await http.get(f"{self.gateway.url}/jobs", headers=headers)).json()[
                "jobs"
            ]
            return listed


def listen(page: Page, complaints: list[str]) -> None:
    """Note every error in the console, a breach of the content security policy too."""
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)


async def new_page(context: BrowserContext, complaints: list[str]) -> Page:
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    listen(page, complaints)
    return page


async def accessible(page: Page, state: str) -> None:
    """Axe finds nothing to complain of."""
    await page.evaluate(SETTLED)
    found = await Axe().run(page)
    assert found.violations_count == 0, f"{state}: {found.generate_report()}"
