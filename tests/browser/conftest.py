"""A browser for each test process; for each test a fresh profile, a gateway and a worker on a bus of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from runtime.messaging.settings import BusSettings
from tests.browser import chromium
from tests.browser.desk import PATIENCE_MS, Desk, new_page
from tests.browser.stepped_engine import SteppedEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

AWAY = ("Failed to load resource", "net::ERR_")
"""How a browser reports answers that say no: the page tells of them itself."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(chromium.FOLDER)]
    for item in here:
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if chromium.executable() is None:
            item.add_marker(pytest.mark.skip(reason=chromium.MISSING))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.executable(), args=[*chromium.ARGUMENTS])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A profile without memory."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(context: BrowserContext, bus_settings: BusSettings, start_gateway: StartGateway) -> AsyncIterator[Desk]:
    """The page, opened; its console must have nothing to complain of in the end."""
    engine = SteppedEngine()
    async with running_worker(bus_settings, engine, name="painter"), start_gateway() as gateway:
        await offering(gateway)
        complaints: list[str] = []
        desk = Desk(await new_page(context, complaints), gateway, engine, complaints)
        await desk.open()
        yield desk
        await desk.page.close()
        engine.end()
    assert [said for said in complaints if not said.startswith(AWAY)] == []
