"""webuiapi: txt2img, img2img with a mask, models, progress, interrupt, a fault."""

from __future__ import annotations

import io
import threading
from urllib.parse import urlsplit

import webuiapi
from around import KEY, LONG, URL, eventually, png, refusal, state_of
from PIL import Image

address = urlsplit(URL)
api = webuiapi.WebUIApi(host=address.hostname, port=address.port, username="any", password=KEY)

drawn = api.txt2img(prompt="a fox", negative_prompt="fog", width=72, height=64, seed=7, batch_size=2, steps=30)
assert [image.size for image in drawn.images] == [(72, 64)] * 2
assert drawn.info["all_seeds"] == [7, 8]
assert drawn.info["infotexts"][0] == drawn.images[0].info["parameters"]
assert api.png_info(drawn.image).info == drawn.info["infotexts"][0]

start, mask = Image.open(io.BytesIO(png())), Image.new("L", (64, 64), 0)
mask.paste(255, (32, 0, 64, 64))
edited = api.img2img(
    images=[start], prompt="a hat", mask_image=mask, mask_blur=0, denoising_strength=1.0, width=64, height=64
)
assert edited.image.convert("RGB").getpixel((3, 3)) == (0, 0, 128)
assert edited.image.convert("RGB").getpixel((60, 3)) != (0, 0, 128)

assert api.util_get_model_names() == ["fake"]
api.util_set_model("fake")
assert api.util_get_current_model() == "fake"
assert api.get_samplers()
assert api.get_schedulers()
assert api.get_upscalers()
assert api.get_scripts() == {"txt2img": [], "img2img": []}
assert [lora["name"] for lora in api.get_loras()] == ["fog", "ink"]
foggy = api.txt2img(prompt="a fox <lora:fog:0.5>", width=64, height=64, seed=7, steps=3)
plain = api.txt2img(prompt="a fox", width=64, height=64, seed=7, steps=3)
assert foggy.image.tobytes() != plain.image.tobytes()
assert foggy.info["prompt"] == "a fox <lora:fog:0.5>"
assert api.get_memory()["ram"]
assert api.refresh_checkpoints() is None

fault = refusal(RuntimeError, lambda: api.txt2img(prompt=""))
assert fault.args[0] == 422
assert "prompt" in fault.args[1]

answers: list[object] = []


def draw() -> None:
    try:
        answers.append(api.txt2img(prompt="interrupted", steps=LONG // 2))
    except RuntimeError as fault:
        answers.append(fault.args[0])


drawing = threading.Thread(target=draw)
drawing.start()
now = eventually(lambda: (found := api.get_progress())["current_image"] and found)
assert 0 < now["progress"] <= 1
assert now["state"]["job_count"] == 1
assert api.interrupt() == {}
drawing.join(60)
assert answers == [499]
assert state_of("interrupted") == "cancelled"
api.util_wait_for_ready(check_interval=0.1)
