"""langchain-community's DallEAPIWrapper: it reads links; a model that is none is told in words. It has no edits."""

from __future__ import annotations

import openai
from around import PNG, get, refusal
from langchain_community.utilities.dalle_image_generator import DallEAPIWrapper

assert get(DallEAPIWrapper(size="64x64").run("a fox")).startswith(PNG)
links = DallEAPIWrapper(model="dall-e-3", n=2, separator=" ").run("a fox").split(" ")
assert len({get(link) for link in links}) == 2
fault = refusal(openai.NotFoundError, lambda: DallEAPIWrapper(model="none").run("a fox"))
assert "there are: fake" in str(fault)
