"""The command `serve`: its flags, and the start of the web server.

It is `python -m annotator.serve` as well as `annotator serve`.
"""

import errno
import socket
import sys

from absl import flags

from annotator.config import commands
from annotator.terminal.startup import announce, start_tensorflow


def _define(parser: commands.Parser) -> None:
    parser.group("input").add(
        flags.DEFINE_multi_string,
        "model",
        None,
        "Folder of an exported model or of a workdir's exports; may be given twice.",
        required=True,
    )
    integer = flags.DEFINE_integer
    group = parser.group("network")
    group.add(integer, "port", 8501, "HTTP port.", lower_bound=1, upper_bound=65535)
    group.add(
        flags.DEFINE_float,
        "upload_seconds",
        60.0,
        "Longest pause in a request's body.",
        lower_bound=0.1,
    )
    group = parser.group("load")
    group.add(integer, "max_batch", 32, "Images computed at a time.", lower_bound=1)
    group.add(integer, "max_instances", 128, "Images in a request.", lower_bound=1)
    group.add(integer, "max_request_mb", 64, "MiB of a request.", lower_bound=1)
    group.add(
        integer,
        "max_waiting",
        1024,
        "Images that may wait; more get a 503.",
        lower_bound=1,
    )
    group.add(
        integer,
        "max_open_mb",
        256,
        "MiB of open requests; more get a 503.",
        lower_bound=1,
    )


def _run(values: flags.FlagValues) -> None:
    # kserve reads the command line when it is imported; it shall not read our flags.
    sys.argv = sys.argv[:1]
    _check_port(values.port)
    start_tensorflow()
    announce()
    try:
        from annotator.serve.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "kserve":
            raise
        raise commands.UsageError(
            'The server needs kserve: pip install ".[serve]"'
        ) from error
    serve(
        values.model,
        values.port,
        max_batch=values.max_batch,
        max_instances=values.max_instances,
        max_request_bytes=values.max_request_mb * 2**20,
        max_waiting=values.max_waiting,
        max_open_bytes=values.max_open_mb * 2**20,
        upload_seconds=values.upload_seconds,
    )


def _check_port(port: int) -> None:
    """Finds out before models are loaded whether the server will be able to listen."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("", port))
            server.listen()  # others may have bound it, too, to listen later
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: "is taken by another program",
                errno.EACCES: "needs an administrator's rights",
            }
            reason = reasons.get(error.errno or 0, f"cannot be had ({error.strerror})")
            raise commands.UsageError(
                f"--port={port} {reason}: name another --port."
            ) from error


COMMAND = commands.Command(
    """Serves exported models over HTTP, in TensorFlow Serving's REST form.

POST /v1/models/tagger:predict takes the content of image files in base64, as in the
first line, and answers as in the second:

    {"instances": [{"b64": "..."}, ...]}
    {"predictions": [{"tags": [...], ...}, ...]}

GET /v1/models/tagger says whether the model is there, GET /v1/models/tagger/metadata
what its signatures take and give, and GET /metrics how the server does. Paths may name
the version, as in /v1/models/tagger/versions/1:predict.
The server listens on all network interfaces; SIGTERM ends it after open requests.""",
    _define,
    _run,
)
main = COMMAND.main
