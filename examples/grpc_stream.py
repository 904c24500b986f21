"""Draw over gRPC and watch: `python examples/grpc_stream.py "a boat" boat.png [SECONDS]`.

Ctrl-C stops the job, and so does the end of the seconds.
"""

import os
import sys
from pathlib import Path

import grpc

from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceStub

prompt, file, *seconds = sys.argv[1:]
deadline_s = float(seconds[0]) if seconds else None
key = os.environ.get("EASEL_API_KEY")
metadata = [("authorization", f"Bearer {key}")] if key else []
with grpc.insecure_channel(os.environ.get("EASEL_GRPC", "127.0.0.1:50051")) as channel:
    request = pb.ImageRequest(prompt=prompt, num_previews=4)
    call = Text2ImageServiceStub(channel).GenerateImageStream(request, timeout=deadline_s, metadata=metadata)
    try:
        for event in call:
            if event.HasField("progress"):
                print(f"step {event.progress.step} of {event.progress.total_steps}", flush=True)
            elif event.HasField("finished"):
                Path(file).write_bytes(event.finished.image)
                print(file)
    except KeyboardInterrupt:
        call.cancel()
        sys.exit("cancelled")
    except grpc.RpcError as fault:
        sys.exit(f"{fault.code().name}: {fault.details()}")
