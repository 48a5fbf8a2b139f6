"""The command `serve`: its flags, and the start of the web server.

It is `python -m annotator.serve` as well as `annotator serve`.
"""

import errno
import pathlib
import socket

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
    _define_network(parser.group("network"))
    integer = flags.DEFINE_integer
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
        flags.DEFINE_float,
        "max_wait_seconds",
        10.0,
        "How long an image may have to wait; where it would be longer, it gets a 503.",
        lower_bound=0.1,
    )
    group.add(
        integer,
        "max_open_mb",
        256,
        "MiB of open requests; more get a 503.",
        lower_bound=1,
    )


def _define_network(group):
    group.add(
        flags.DEFINE_string,
        "host",
        "127.0.0.1",
        "Address to listen at; 0.0.0.0 for all networks of this machine.",
    )
    integer = flags.DEFINE_integer
    group.add(integer, "port", 8501, "HTTP port.", lower_bound=1, upper_bound=65535)
    group.add(
        integer,
        "grpc_port",
        None,
        "Port of TensorFlow Serving's gRPC form, which has 8500 there.",
        lower_bound=1,
        upper_bound=65535,
        note="default: no gRPC",
    )
    group.add(
        flags.DEFINE_string,
        "token_file",
        None,
        "A file whose text requests must have as a bearer token.",
    )
    group.add(
        flags.DEFINE_string, "tls_certificate", None, "A certificate (PEM), for HTTPS."
    )
    group.add(flags.DEFINE_string, "tls_key", None, "The private key of it (PEM).")
    group.add(
        flags.DEFINE_float,
        "upload_seconds",
        50.0,
        "How long a request's body may take; its header may take 10 s.",
        lower_bound=0.1,
    )
    group.add(
        integer,
        "max_connections",
        512,
        "Connections at a time; more get a 503.",
        lower_bound=1,
    )


def _run(values: flags.FlagValues) -> None:
    if bool(values.tls_certificate) != bool(values.tls_key):
        raise commands.UsageError("--tls_certificate and --tls_key go together.")
    token = _token(values.token_file)
    _check_port(values.host, values.port)
    if values.grpc_port is not None:
        _check_port(values.host, values.grpc_port, "grpc_port")
    start_tensorflow()
    announce()
    try:
        import uvicorn  # noqa: F401  (before TensorFlow, which takes its time)

        from annotator.serve.limits import Limits
        from annotator.serve.server import serve
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in ("h11", "prometheus_client", "starlette", "uvicorn"):
            raise
        raise commands.UsageError(
            f'The server needs {missing}: pip install ".[serve]"'
        ) from error
    serve(
        values.model,
        values.port,
        values.host,
        max_batch=values.max_batch,
        max_instances=values.max_instances,
        max_waiting=values.max_waiting,
        max_seconds=values.max_wait_seconds,
        limits=Limits(
            connections=values.max_connections,
            body_bytes=values.max_request_mb * 2**20,
            body_seconds=values.upload_seconds,
            open_bytes=values.max_open_mb * 2**20,
        ),
        token=token,
        certificate=values.tls_certificate,
        key=values.tls_key,
        grpc_port=values.grpc_port,
    )


def _token(path):
    if path is None:
        return None
    token = pathlib.Path(path).read_bytes().strip()
    if not token:
        raise commands.UsageError(f"--token_file={path} is empty.")
    if not token.isascii() or b"\n" in token:
        raise commands.UsageError(
            f"--token_file={path} must hold one line of ASCII: it stands in a header."
        )
    return token.decode()


def _check_port(host: str, port: int, flag: str = "port") -> None:
    """Finds out before models are loaded whether the server will be able to listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, port))
            server.listen()  # others may have bound it, too, to listen later
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: "is taken by another program",
                errno.EACCES: "needs an administrator's rights",
            }
            reason = reasons.get(error.errno or 0, f"cannot be had ({error.strerror})")
            raise commands.UsageError(
                f"--{flag}={port} {reason}: name another --{flag}."
            ) from error


COMMAND = commands.Command(
    """Serves exported models over HTTP, in TensorFlow Serving's REST form.

POST /v1/models/tagger:predict takes the content of image files in base64, as in the
first line, and answers as in the second:

    {"instances": [{"b64": "..."}, ...]}
    {"predictions": [{"tags": [...], ...}, ...]}

It takes an image file as it is, too, or a form with files: curl -F image=@photo.jpg.
POST / answers these with what all models say, and GET / is a page to drop an image on.
GET /v1/models/tagger says whether the model is there, GET /v1/models/tagger/metadata
what its signatures take and give, and GET /metrics how the server does. Paths may name
the version, as in /v1/models/tagger/versions/1:predict.
SIGTERM ends the server after open requests.""",
    _define,
    _run,
)
main = COMMAND.main
