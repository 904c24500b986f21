"""What the page survives: reloads, restarts, other tabs, workers that die, keys that expire."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import BrowserContext, expect

from gateway.keys import create_key, list_keys, revoke_key
from runtime.messaging.settings import BusSettings
from tests.browser.desk import Desk, new_page
from tests.browser.stepped_engine import SteppedEngine
from tests.support.systems import StartGateway, answering, offering
from tests.support.workers import WorkerProcess, running_worker


async def test_a_reload_finds_the_job_where_it_is_and_then_its_picture(desk: Desk) -> None:
    await desk.ask("slow fox")
    desk.engine.allow(2)
    await expect(desk.page.get_by_text("Step 2 of 4").last).to_be_visible()
    await desk.page.reload()
    await expect(desk.page.get_by_text("Step 2 of 4").last).to_be_visible()
    await expect(desk.page.locator(".tile .preview")).to_be_visible()
    await expect(desk.page.get_by_label("Prompt", exact=True)).to_have_value("slow fox")
    desk.engine.allow(2)
    await expect(desk.page.get_by_role("img", name="slow fox")).to_be_visible()


async def test_a_restart_of_the_gateway_loses_nothing(desk: Desk) -> None:
    await desk.ask("slow fox")
    await desk.shows(1, "forming")
    desk.gateway.kill()
    await expect(desk.page.locator("#line-text")).to_have_text("Reconnecting")
    desk.engine.end()
    desk.gateway.restart()
    await answering(desk.gateway)
    await expect(desk.page.get_by_role("img", name="slow fox")).to_be_visible()
    await desk.draw("another fox")


async def test_while_the_gateway_is_away_the_page_says_so_and_keeps_the_words(desk: Desk) -> None:
    desk.gateway.kill()
    await desk.ask("a fox for later")
    await expect(desk.page.get_by_role("alert")).to_contain_text("does not answer")
    await expect(desk.page.get_by_label("Prompt", exact=True)).to_have_value("a fox for later")


async def test_two_tabs_show_the_same_jobs(desk: Desk, context: BrowserContext) -> None:
    other = Desk(await new_page(context, desk.complaints), desk.gateway, desk.engine)
    await other.open()
    await desk.ask("slow fox")
    await other.shows(1, "forming")
    await desk.page.keyboard.press("Escape")
    await other.shows(0, "forming")
    desk.engine.end()
    await other.draw("a hare")
    await desk.shows(1)


async def test_a_worker_that_died_is_shown_as_gone(desk: Desk, bus_settings: BusSettings) -> None:
    with WorkerProcess(bus_settings, "mortal") as worker:
        await expect(desk.page.locator("#line-text")).to_contain_text("2 devices")
        worker.kill()
        await expect(desk.page.locator("#line-text")).to_contain_text("cpu (fake)")
    await desk.page.locator("#line").click()
    gone = desk.page.locator(".device.away")
    await expect(gone).to_contain_text("mortal")
    await expect(gone).to_contain_text("gone")
    await expect(desk.page.locator(".device").first).to_contain_text("painter")


async def test_a_gateway_with_keys_asks_for_one_says_when_it_has_expired_and_forgets_its_jobs(
    context: BrowserContext, bus_settings: BusSettings, start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    token = create_key(keys, "alice")
    engine = SteppedEngine()
    async with running_worker(bus_settings, engine), start_gateway(EASEL_GATEWAY_KEYS_FILE=str(keys)) as gateway:
        await offering(gateway, key=token)
        desk = Desk(await new_page(context, []), gateway, engine)
        await desk.page.goto(gateway.url)
        dialog = desk.page.get_by_role("dialog", name="This Easel asks for a key")
        await dialog.get_by_label("API key").fill(token)
        await dialog.get_by_role("button", name="Continue").click()
        await desk.draw("a fox")
        await desk.page.reload()
        await expect(desk.page.get_by_role("img", name="a fox")).to_be_visible()
        assert token not in desk.page.url
        assert token not in await desk.page.evaluate("Object.values(localStorage).join()")

        await desk.page.get_by_label("Prompt", exact=True).fill("a hare")
        revoke_key(keys, list_keys(keys)[0].id)
        await expect(dialog).to_contain_text("has expired or was revoked")
        await dialog.get_by_label("API key").fill(create_key(keys, "alice"))
        await dialog.get_by_role("button", name="Continue").click()
        await expect(desk.page.get_by_label("Prompt", exact=True)).to_have_value("a hare")
        await expect(desk.page.get_by_role("img", name="a fox")).to_have_count(0)
        await desk.draw("a hare")

        await desk.page.get_by_role("button", name="Key", exact=True).click()
        await dialog.get_by_label("API key").fill(create_key(keys, "bob"))
        await dialog.get_by_role("button", name="Continue").click()
        await expect(desk.page.get_by_text("What would you like to see?")).to_be_visible()
        await expect(desk.page.get_by_role("img", name="a hare")).to_have_count(0)
        await desk.page.close()
        engine.end()
