"""The command `serve`: what is found out before a model is loaded."""

import importlib.util
import socket

import pytest

from annotator.config import commands
from annotator.serve import command

needs_server = pytest.mark.skipif(
    importlib.util.find_spec("uvicorn") is None,
    reason='uvicorn is not installed: pip install ".[serve]"',
)


def test_a_port_that_is_taken_is_said_with_its_flag():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = f"--port={port} is taken by another program: name another --port"
        with pytest.raises(commands.UsageError, match=message):
            command._check_port("127.0.0.1", port)
    command._check_port("127.0.0.1", port)


@needs_server
def test_flags_become_limits(monkeypatch):
    from annotator.serve import server
    from annotator.serve.limits import Limits

    told = {}
    monkeypatch.setattr(
        server, "serve", lambda *given, **options: told.update(options, given=given)
    )
    monkeypatch.setattr(command, "start_tensorflow", lambda: None)
    monkeypatch.setattr(command, "announce", lambda: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parser = commands.Parser("serve", command.COMMAND.description)
    command.COMMAND.define(parser)
    arguments = [
        *("--model=a", "--model=b", f"--port={port}", "--max_batch=3"),
        *("--max_instances=4", "--max_waiting=5", "--max_wait_seconds=6"),
        *("--max_request_mb=7", "--upload_seconds=8", "--max_open_mb=9"),
        "--max_connections=10",
    ]
    command.COMMAND.run(parser.parse(arguments))
    assert told["given"] == (["a", "b"], port, "127.0.0.1")
    assert told["max_batch"] == 3 and told["max_instances"] == 4
    assert told["max_waiting"] == 5 and told["max_seconds"] == 6
    assert told["limits"] == Limits(
        connections=10, body_bytes=7 << 20, body_seconds=8, open_bytes=9 << 20
    )
