"""What holds for every process that tests start."""

import os

# gRPC starts its threads again in a child that forks to run Python before its program, and they abort some of them
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
