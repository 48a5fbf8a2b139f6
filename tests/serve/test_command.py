"""The command `serve`: what is found out before a model is loaded."""

import socket

import pytest

from annotator.config import commands
from annotator.serve import command


def test_a_port_that_is_taken_is_said_with_its_flag():
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        message = f"--port={port} is taken by another program: name another --port"
        with pytest.raises(commands.UsageError, match=message):
            command._check_port(port)
    command._check_port(port)
