"""The command `serve`: what is found out before a model is loaded."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys

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


@needs_server
def test_an_altered_model_is_not_served(tagger_run, tmp_path):
    from annotator.serve.server import serve

    shutil.copytree(tagger_run[2][0], tmp_path / "1")
    (tmp_path / "1" / "variables" / "variables.index").write_bytes(b"altered")
    with pytest.raises(ValueError, match="variables.index"):
        serve([tmp_path / "1"], port=1024)


def run_command(*arguments, path=None):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    if path:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-m", "annotator.serve", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )


def test_help_needs_no_tensorflow(tmp_path):
    for name in ("tensorflow", "keras", "uvicorn", "starlette"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not here')\n")
    result = run_command("--help", path=tmp_path)
    assert "--max_request_mb" in result.stdout and "--model" in result.stdout
    result = run_command("--port=0", path=tmp_path)
    assert result.returncode and "port" in result.stderr


def test_without_uvicorn_it_says_what_to_install(tmp_path):
    (tmp_path / "uvicorn.py").write_text(
        "raise ModuleNotFoundError('not here', name='uvicorn')\n"
    )
    result = run_command("--model=nowhere", path=tmp_path)
    assert result.returncode == 1
    assert result.stderr.endswith('pip install ".[serve]"\n')


@needs_server
@pytest.mark.slow
def test_folder_without_a_model_is_named(tmp_path):
    result = run_command(f"--model={tmp_path}", "--port=1024")
    assert result.returncode == 1
    assert f"error: {tmp_path} is no exported model" in result.stderr
