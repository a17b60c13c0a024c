"""A real OpenAI-compatible server with the pocket LLaMA: `transformers serve`, on this machine."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.common.errors import BadInput
from bench.models import server, server_look
from tests.conftest import REPO

START_S = 120.0
MISSING = "transformers serve lacks packages (configs/requirements-server.txt)"
FORCED = '{"generation_config": "{\\"eos_token_id\\": -1, \\"pad_token_id\\": 1}"}'
needs_server = pytest.mark.skipif(find_spec("openai") is None, reason=MISSING)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[server.Asked]:
    """How the server's model is asked, while it runs. folder: where the model's files are put together."""
    served = folder / "pocket-llama"
    served.mkdir()
    for file in (*(REPO / "bench/pocket/llama").iterdir(), *(REPO / "bench/pocket/tokenizer").iterdir()):
        shutil.copy(file, served)
    config = json.loads((served / "config.json").read_text()) | {"architectures": ["LlamaForCausalLM"]}
    (served / "config.json").write_text(json.dumps(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "hub").mkdir()
    own = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_CACHE": str(folder / "hub")}
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(served), "--device", "cpu"]
    command += ["--dtype", "float32", "--host", "127.0.0.1", "--port", str(port), *options]
    log = folder / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=os.environ | own, stdout=said, stderr=said)
    asked = server.Asked(f"http://127.0.0.1:{port}/v1", str(served), forced_length=FORCED)
    try:
        wait_for(process, asked, log)
        server_look.look.cache_clear()
        yield asked
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(process: subprocess.Popen, asked: server.Asked, log: Path) -> None:
    """Return when the server answers; fail with what it said where it ends or takes too long."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server_look.request(asked, "/health")
            return
        except BadInput:
            time.sleep(0.3)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")
