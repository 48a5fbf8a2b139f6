"""The command `review`, up to the start of the server."""

import importlib.util
import socket
import subprocess
import sys

import pytest

from annotator.config import commands
from annotator.review import command


def parse(*arguments):
    parser = commands.Parser("annotator review", "")
    command.COMMAND.define(parser)
    return parser.parse(list(arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"Name one folder of photographs, got \[\]"),
        (["a", "b"], r"got \['a', 'b'\]"),
        (["no-such-folder"], "no-such-folder is no folder"),
    ],
)
def test_usage_errors(arguments, message):
    with pytest.raises(commands.UsageError, match=message):
        command.COMMAND.run(parse(*arguments))


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(commands.UsageError, match=r"needs .*review"):
        command.COMMAND.run(parse(str(tmp_path)))


def test_defaults():
    values = parse("photos")
    assert (values.port, values.library, values.model) == (8600, None, ["photos"])


def test_it_listens_on_this_machine_alone():
    with command.listen(0) as listening:
        address, port = listening.getsockname()
        assert address == "127.0.0.1" and isinstance(listening, socket.socket)
        with pytest.raises(OSError, match=f"--port={port} cannot be had"):
            command.listen(port)


def test_sqlite_is_loaded_with_the_command():
    """Before TensorFlow, whose own has no full text."""
    program = (
        "import sys, annotator.review.command\n"
        "assert 'sqlite3' in sys.modules and 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.mark.slow
def test_sqlite_is_loaded_before_tensorflow_whose_own_has_no_full_text():
    """The console imports the command's module, then TensorFlow, then the library."""
    program = (
        "import annotator.review.command, tensorflow, sqlite3\n"
        "connection = sqlite3.connect(':memory:')\n"
        "connection.execute('CREATE VIRTUAL TABLE texts USING fts5 (words)')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
