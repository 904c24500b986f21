"""Draw with the openai package: `python examples/openai_generate.py "a red fox in the snow" fox.png`."""

import base64
import os
import sys
from pathlib import Path

from openai import OpenAI

prompt, file = sys.argv[1:3]
client = OpenAI(
    base_url=os.environ.get("EASEL_URL", "http://127.0.0.1:8000") + "/v1",
    api_key=os.environ.get("EASEL_API_KEY", "none"),
)
result = client.images.generate(prompt=prompt, extra_body={"seed": 7})
Path(file).write_bytes(base64.b64decode(result.data[0].b64_json))
print(f"{file}: {result.size}")
