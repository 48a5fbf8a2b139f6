"""The command `review`: its flags, and the start of the page."""

import importlib.util
import os
import secrets
import socket
import sqlite3  # noqa: F401  (before TensorFlow: its own SQLite knows no full text)

from absl import flags

from annotator.config import commands
from annotator.config.limits import add_max_pixels
from annotator.config.names import model_paths
from annotator.terminal.startup import announce, start_tensorflow

_NEEDS = {"fastapi": "fastapi", "jinja2": "jinja2", "uvicorn": "uvicorn"}


def _define(parser: commands.Parser) -> None:
    parser.accept_arguments("PHOTOS")
    group = parser.group("input")
    group.add(
        flags.DEFINE_multi_string,
        "model",
        ["photos"],
        "photos, the model for photographs that comes with the package, or "
        "photos_fast, 2.7 times as fast for many; or a run's "
        "WORKDIR, or an export in it, with a tagger; a captioner too if it is to write "
        "captions. May be given twice, or as a comma-separated list.",
        note="default: photos",
    )
    group.add(
        flags.DEFINE_string,
        "library",
        None,
        "Folder of what is known of the photographs.",
        note="default: one a folder of photographs, in ~/.local/share/annotator",
    )
    add_max_pixels(group)
    group = parser.group("network")
    group.add(
        flags.DEFINE_integer,
        "port",
        8600,
        "HTTP port, on this machine alone; 0 for a free one.",
        lower_bound=0,
        upper_bound=65535,
    )


def _run(values: commands.Values) -> int | None:
    if len(values.arguments) != 1:
        raise commands.UsageError(
            f"Name one folder of photographs, got {values.arguments}: annotator review "
            "PHOTOS"
        )
    (photographs,) = values.arguments
    if not os.path.isdir(photographs):
        raise commands.UsageError(f"{photographs} is no folder.")
    for module in _NEEDS:
        if importlib.util.find_spec(module) is None:
            raise commands.UsageError(
                f'The page needs {module}: pip install ".[review]"'
            )
    start_tensorflow()
    announce()
    return _serve(
        model_paths(values.model),
        photographs,
        values.library,
        values.port,
        values.max_pixels,
    )


def _serve(models, photographs, folder, port, max_pixels):
    import uvicorn

    from annotator.annotation.listing import tell_passed_over
    from annotator.library.library import Library, default_folder
    from annotator.review.indexing import Indexer
    from annotator.review.photograph_encoder import PhotographEncoder
    from annotator.review.server import create_app
    from annotator.review.session import Session

    listening = listen(port)
    port = listening.getsockname()[1]
    folder = folder or default_folder(photographs)
    library = Library(folder, photographs, max_pixels)
    encoder = PhotographEncoder(models, max_pixels)
    session = Session(
        library, encoder.id, encoder.basis, encoder.top_k, encoder.threshold
    )
    indexer = Indexer(library, session, encoder)
    token = secrets.token_urlsafe(16)
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    app = create_app(session, encoder, indexer, token, hosts)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", server_header=False)
    )
    tell_passed_over(photographs)
    indexer.start()
    print(f"library: {library.folder}\nhttp://127.0.0.1:{port}/{token}/", flush=True)
    try:
        server.run([listening])
    finally:
        indexer.stop()
        library.close()
    return 0


def listen(port: int) -> socket.socket:
    """Listens on this machine alone.

    Args:
        port: The port; 0 for a free one.

    Raises:
        OSError: When another program has it.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise OSError(
            f"--port={port} cannot be had ({error.strerror}): name another, or 0."
        ) from error


COMMAND = commands.Command(
    """Shows photographs on a page where words are corrected and taught.

    annotator review holidays

prints an address to open in a browser on this machine. Photographs are tagged, and
captioned if the model has a captioner; what is accepted, rejected or added changes the
words for all photographs at once. The photographs are only read: all that is known of
them lies in a library, a folder of its own.

Ctrl-C ends it; every correction is kept the moment it is made.""",
    _define,
    _run,
)
main = COMMAND.main
