"""Queue a job, follow its steps, fetch the picture: `python examples/follow_a_job.py "a boat" boat.png`. Plain HTTP."""

import json
import os
import sys
from pathlib import Path

import httpx

prompt, file = sys.argv[1:3]
key = os.environ.get("EASEL_API_KEY")
http = httpx.Client(
    base_url=os.environ.get("EASEL_URL", "http://127.0.0.1:8000"),
    headers={"Authorization": f"Bearer {key}"} if key else {},
    timeout=None,
)
job = http.post("/generate/async", json={"prompt": prompt}).raise_for_status().json()["job_id"]
with http.stream("GET", f"/job/{job}/events") as events:
    event = ""
    for line in events.iter_lines():
        if line.startswith("event:"):
            event = line.removeprefix("event:").strip()
        elif line.startswith("data:") and event == "progress":
            step = json.loads(line.removeprefix("data:"))
            print(f"step {step['step']} of {step['total_steps']}")
Path(file).write_bytes(http.get(f"/job/{job}/image").raise_for_status().content)
print(file)
