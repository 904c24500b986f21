"""A chat message in, a picture out: through a gateway and a real bus."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.eventually import eventually

CHAT = "/v1/chat/images"


async def said(http: httpx.AsyncClient, message: str | None = None, **rest: Any) -> dict[str, Any]:
    body = ({} if message is None else {"message": message}) | {"width": 64, "height": 64} | rest
    answer = await http.post(CHAT, json=body)
    assert answer.status_code == 200, answer.text
    reply: dict[str, Any] = answer.json()
    return reply


async def drawn(http: httpx.AsyncClient, reply: dict[str, Any]) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        job: dict[str, Any] = (await http.get(reply["status_url"])).json()
        return job if job["status"] == "succeeded" else None

    found = await eventually(ended)
    assert found is not None
    return found


async def test_a_message_that_asks_for_a_picture_is_drawn_and_the_reply_says_where(http: httpx.AsyncClient) -> None:
    reply = await said(http, "create an image of a red fox")
    assert (reply["intent"], reply["source"], reply["prompt"]) == ("generate", "rule", "a red fox")
    assert (await drawn(http, reply))["prompt"] == "a red fox"
    assert (await http.get(reply["image_url"])).headers["content-type"] == "image/png"
    assert {action["name"] for action in reply["actions"]} == {"retry", "edit", "download"}


async def test_small_talk_is_left_to_the_chat(http: httpx.AsyncClient) -> None:
    reply = await said(http, "build a docker image of my app")
    assert (reply["intent"], reply["source"], reply["actions"]) == ("none", "none", [])
    assert "job_id" not in reply


async def test_a_dry_run_draws_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{CHAT}?dry_run=1", json={"message": "draw a cat"})
    assert answer.json()["intent"] == "generate"
    assert "job_id" not in answer.json()


async def test_a_conversation_remembers_its_picture(http: httpx.AsyncClient) -> None:
    """So that "again" and "make it …" need not say which."""
    first = await said(http, "/imagine a boat", seed=5)
    await drawn(http, first)
    again = await said(http, "again", conversation_id=first["conversation_id"])
    assert (again["intent"], again["prompt"]) == ("retry", "a boat")
    assert again["job_id"] != first["job_id"]
    await drawn(http, again)
    change = await said(http, "make it blue", conversation_id=first["conversation_id"])
    assert (change["intent"], change["source"], change["prompt"]) == ("edit", "explicit", "a boat, blue")
    assert (await drawn(http, change))["status"] == "succeeded"


async def test_the_picture_is_found_by_its_address_in_the_messages(http: httpx.AsyncClient) -> None:
    first = await said(http, "draw a house")
    await drawn(http, first)
    turns = [
        {"role": "user", "content": "draw a house"},
        {"role": "assistant", "content": f"![a house]({first['image_url']})"},
        {"role": "user", "content": [{"type": "text", "text": "noch einmal"}]},
    ]
    again = await said(http, messages=turns)
    assert (again["intent"], again["prompt"]) == ("retry", "a house")


async def test_a_button_says_what_the_words_do_not(http: httpx.AsyncClient) -> None:
    reply = await said(http, "a quiet lake", action="generate")
    assert (reply["intent"], reply["source"], reply["prompt"]) == ("generate", "explicit", "a quiet lake")


async def test_nothing_is_drawn_before_a_yes_where_that_is_wished(http: httpx.AsyncClient) -> None:
    asked = await said(http, "draw a tree", confirm="always")
    assert asked["needs_confirmation"]
    assert "job_id" not in asked
    (confirm,) = asked["actions"]
    answer = await http.request(confirm["method"], confirm["url"], json=confirm["body"] | {"width": 64, "height": 64})
    assert answer.json()["prompt"] == "a tree"


async def test_requests_that_cannot_be_understood_are_refused_in_words(http: httpx.AsyncClient) -> None:
    for body, param in (
        ({}, "message"),
        ({"message": "again", "action": "retry"}, "job_id"),
        ({"message": "draw a cat", "conversation_id": "x"}, "conversation_id"),
    ):
        answer = await http.post(CHAT, json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_picture_that_is_not_there_is_told(http: httpx.AsyncClient) -> None:
    """Another caller's is not told apart from one that never was."""
    answer = await http.post(CHAT, json={"message": "again", "job_id": "0" * 32})
    assert answer.status_code == 404
