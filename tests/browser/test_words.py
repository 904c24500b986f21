"""Better prompts and conversations: what a language model has a hand in, which here says what the test wants."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from runtime.messaging.settings import BusSettings
from tests.browser.desk import Desk, accessible
from tests.support.chat_server import ChatServer, as_prompt
from tests.support.enhancers import running_enhancer

PLAIN = "a boat on a lake"
BETTER = "a boat on a lake, soft morning light"


@pytest.fixture
def language_model() -> Iterator[ChatServer]:
    with ChatServer(as_prompt(BETTER)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def writer(desk: Desk, bus_settings: BusSettings, language_model: ChatServer) -> AsyncIterator[Desk]:
    """The desk, with an enhancer on the bus."""
    async with running_enhancer(bus_settings, language_model):
        await desk.page.get_by_label("Prompt", exact=True).fill(PLAIN)
        await expect(desk.page.get_by_role("button", name="Enhance")).to_be_enabled()
        yield desk


async def test_a_better_prompt_is_shown_as_a_difference_before_it_is_used(writer: Desk) -> None:
    await writer.page.get_by_role("button", name="Enhance").click()
    difference = writer.page.get_by_label("What changes")
    await expect(difference).to_have_text(BETTER)
    await expect(difference.locator("ins")).to_have_text([", soft morning light"])
    await expect(difference.locator("del")).to_have_count(0)
    await expect(writer.page.get_by_label("Prompt", exact=True)).to_have_value(PLAIN)


async def test_a_suggestion_can_be_changed_before_it_is_taken(writer: Desk) -> None:
    prompt = writer.page.get_by_label("Prompt", exact=True)
    await writer.page.get_by_role("button", name="Enhance").click()
    await writer.page.get_by_label("Suggested prompt").fill("a boat on a lake at night")
    await expect(writer.page.get_by_label("What changes").locator("ins")).to_have_text([" at night"])
    await writer.page.get_by_role("button", name="Use this").click()
    await expect(prompt).to_have_value("a boat on a lake at night")
    await writer.draw("a boat on a lake at night")
    assert writer.engine.drawn == ["a boat on a lake at night"]


async def test_a_suggestion_that_was_taken_can_be_undone(writer: Desk) -> None:
    prompt = writer.page.get_by_label("Prompt", exact=True)
    await writer.page.get_by_role("button", name="Enhance").click()
    await writer.page.get_by_role("button", name="Use this").click()
    await expect(prompt).to_have_value(BETTER)
    await writer.page.get_by_role("button", name="Undo").click()
    await expect(prompt).to_have_value(PLAIN)


async def test_a_suggestion_can_be_left_and_a_slow_one_no_longer_waited_for(
    writer: Desk, language_model: ChatServer
) -> None:
    prompt = writer.page.get_by_label("Prompt", exact=True)
    await writer.page.get_by_role("button", name="Enhance").click()
    await writer.page.get_by_role("button", name="Keep mine").click()
    language_model.gate.clear()
    await prompt.fill("a boat on the sea")
    await writer.page.get_by_role("button", name="Enhance").click()
    await expect(writer.page.get_by_text("Thinking of a better way")).to_be_visible()
    await writer.page.get_by_role("button", name="Never mind").click()
    await expect(writer.page.get_by_text("Thinking of a better way")).to_be_hidden()
    await expect(prompt).to_have_value("a boat on the sea")
    language_model.gate.set()


async def chatting(desk: Desk, message: str) -> None:
    await desk.page.get_by_role("tab", name="Chat").click()
    await say(desk.page, message)


async def say(page: Page, message: str) -> None:
    await page.get_by_label("Message").fill(message)
    await page.get_by_label("Message").press("Enter")


async def test_a_picture_is_asked_for_in_a_sentence_and_drawn_again(desk: Desk) -> None:
    await chatting(desk, "Could you draw a red fox in the snow, please?")
    turns = desk.page.locator(".turn.drawn")
    await expect(turns.get_by_role("img", name="red fox")).to_be_visible()
    await expect(turns).to_contain_text("red fox in the snow")
    await turns.get_by_role("button", name="Retry").click()
    await expect(turns.locator(".picture.shown")).to_have_count(2)
    first, second = (request for request, _ in desk.engine.begun)
    assert (first.prompt, first.seed != second.seed) == (second.prompt, True)


async def test_the_prompt_of_a_picture_in_the_conversation_is_edited_and_drawn(desk: Desk) -> None:
    await chatting(desk, "draw a red fox in the snow")
    turns = desk.page.locator(".turn.drawn")
    await turns.get_by_role("button", name="Edit prompt").click()
    message = desk.page.get_by_label("Message")
    await expect(message).to_be_focused()
    await expect(message).to_have_value("draw a red fox in the snow")
    await say(desk.page, "draw a blue fox in the snow")
    await expect(turns.locator(".picture.shown")).to_have_count(2)
    assert desk.engine.drawn[-1] == "a blue fox in the snow"


async def test_what_the_conversation_says_next_changes_the_picture_that_it_shows(desk: Desk) -> None:
    await chatting(desk, "draw a red fox in the snow")
    await expect(desk.page.locator(".turn.drawn .picture.shown")).to_have_count(1)
    await say(desk.page, "make it blue")
    await expect(desk.page.locator(".turn.drawn .picture.shown")).to_have_count(2)
    request, inputs = desk.engine.begun[-1]
    assert "blue" in request.prompt
    assert inputs.image is not None


async def test_a_download_from_the_conversation_has_the_bytes_that_the_gateway_has(desk: Desk) -> None:
    await chatting(desk, "draw a red fox in the snow")
    async with desk.page.expect_download() as downloading:
        await desk.page.locator(".turn.drawn").get_by_role("button", name="Download").click()
    (job,) = await desk.jobs()
    async with httpx.AsyncClient() as http:
        kept = await http.get(f"{desk.gateway.url}/job/{job['job_id']}/image")
    assert (await (await downloading.value).path()).read_bytes() == kept.content


async def test_a_conversation_is_still_there_after_a_reload(desk: Desk) -> None:
    await chatting(desk, "draw a red fox in the snow")
    await expect(desk.page.locator(".turn.drawn .picture.shown")).to_have_count(1)
    await desk.page.reload()
    await desk.page.get_by_role("tab", name="Chat").click()
    await expect(desk.page.locator(".turn.mine")).to_have_text("draw a red fox in the snow")
    await expect(desk.page.locator(".turn.drawn .picture.shown")).to_have_count(1)
    await say(desk.page, "again")
    await expect(desk.page.locator(".turn.drawn .picture.shown")).to_have_count(2)


async def test_a_message_that_asks_for_nothing_is_answered_in_words(desk: Desk) -> None:
    await chatting(desk, "how are you?")
    await expect(desk.page.locator(".turn.theirs")).to_contain_text("does not ask for a picture")
    assert await desk.jobs() == []


async def test_where_only_the_language_model_saw_a_wish_the_page_asks_first(
    writer: Desk, language_model: ChatServer
) -> None:
    def reads(_: dict[str, Any]) -> str:
        return json.dumps({"intent": "generate", "prompt": "cats on a wall"})

    language_model.say = reads
    await chatting(writer, "something with cats would look great on my wall")
    question = writer.page.locator(".turn.theirs", has_text="Shall I draw")
    await expect(question).to_contain_text("cats on a wall")
    assert await writer.jobs() == []
    await question.get_by_role("button", name="Draw it").click()
    await expect(writer.page.locator(".turn.drawn .picture.shown")).to_have_count(1)
    await expect(question).to_have_count(0)


async def test_a_message_that_could_not_be_sent_is_kept(desk: Desk) -> None:
    await desk.page.get_by_role("tab", name="Chat").click()
    desk.gateway.kill()
    await say(desk.page, "draw a red fox in the snow")
    await expect(desk.page.get_by_role("alert")).to_contain_text("does not answer")
    await expect(desk.page.get_by_label("Message")).to_have_value("draw a red fox in the snow")
    await expect(desk.page.locator(".turn")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation_in_suggestions_and_conversations(
    writer: Desk, language_model: ChatServer, scheme: str
) -> None:
    page = writer.page
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    language_model.gate.clear()
    await page.get_by_role("button", name="Enhance").click()
    await expect(page.get_by_text("Thinking of a better way")).to_be_visible()
    await accessible(page, "waiting for a suggestion")
    language_model.gate.set()
    await expect(page.get_by_role("button", name="Use this")).to_be_visible()
    await accessible(page, "suggestion")
    await page.get_by_role("button", name="Use this").click()
    await accessible(page, "taken")
    await page.get_by_role("tab", name="Create").press("ArrowRight")
    await expect(page.get_by_label("Message")).to_be_visible()
    await accessible(page, "empty conversation")
    await say(page, "/imagine slow foxes")
    await expect(page.locator(".turn.drawn .tile.forming")).to_be_visible()
    await accessible(page, "drawn in the conversation")
    writer.engine.end()
    await expect(page.locator(".turn.drawn .picture.shown")).to_have_count(1)
    await say(page, "how are you?")
    await expect(page.locator(".turn.theirs", has_text="does not ask")).to_be_visible()
    language_model.say = lambda _: json.dumps({"intent": "generate", "prompt": "cats on a wall"})
    await say(page, "something with cats would look great on my wall")
    await expect(page.locator(".turn.theirs", has_text="Shall I draw")).to_be_visible()
    await accessible(page, "conversation with a question")
    writer.gateway.kill()
    await say(page, "draw a red fox in the snow")
    await expect(page.get_by_role("alert")).to_be_visible()
    await accessible(page, "conversation without a gateway")
