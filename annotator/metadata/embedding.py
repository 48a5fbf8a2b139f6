"""Keywords written into image files, whose pictures stay as they are."""

import dataclasses
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageSequence

from annotator import files
from annotator.config.python_process import python_command
from annotator.metadata.edit import Change, edit, is_empty
from annotator.metadata.embedded import read_embedded
from annotator.metadata.keywords import Keywords, read_keywords
from annotator.metadata.packet import Packet
from annotator.metadata.sidecar import read_file

# Of these the pixels before and after can be compared.
EMBEDDING_EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
MOST_BYTES = 1 << 30
_WAIT_SECONDS = 120.0
_REMEDY = 'Writing into image files needs pyexiv2: pip install ".[metadata]"'


class Exiv2:
    """Exiv2 in a process of its own, which is begun again where it ended.

    Raises:
        ModuleNotFoundError: When `pyexiv2` is not installed.
    """

    def __init__(self) -> None:
        check_installed()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Exiv2":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.communicate()  # it ends where its input does
            self._process = None

    def read(self, path: str | os.PathLike[str]) -> bytes | None:
        """Reads the XMP packet in a file.

        Args:
            path: The file.

        Returns:
            The packet; `None` where there is none.

        Raises:
            OSError: When Exiv2 cannot.
        """
        packet = self._ask(path)
        # Some writers end the text with zeros, as in C.
        return packet.rstrip("\0").encode() or None

    def write(self, path: str | os.PathLike[str], packet: bytes | None) -> None:
        """Writes an XMP packet into a file, in its place.

        Args:
            path: The file.
            packet: The packet, UTF-8; `None` takes away what there is.

        Raises:
            OSError: When Exiv2 cannot.
        """
        self._ask(path, packet=(packet or b"").decode())

    def _ask(self, path, **request):
        request["path"] = os.fsencode(path).decode("latin-1")
        process = self._running()
        # One that hangs is ended, and then answers nothing.
        timer = threading.Timer(_WAIT_SECONDS, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
        if not line:
            self.close()
            raise OSError(f"{os.fspath(path)}: Exiv2 ended over it.")
        answer = json.loads(line)
        if "error" in answer:
            raise OSError(f"{os.fspath(path)}: Exiv2: {answer['error']}")
        return answer["packet"]

    def _running(self) -> Any:
        if self._process is None:
            self._process = subprocess.Popen(
                python_command("annotator.metadata.exiv2_process"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process


def check_installed() -> None:
    """Sees to it that Exiv2 is there.

    Raises:
        ModuleNotFoundError: When it is not; the message says how to install it.
    """
    if importlib.util.find_spec("pyexiv2") is None:
        raise ModuleNotFoundError(_REMEDY)


def embed(
    path: str | os.PathLike[str],
    change: Change,
    exiv2: Exiv2,
    note: Callable[[bytes, bytes], None] = lambda before, after: None,
) -> bool:
    """Changes the keywords inside an image file.

    The file is written to a temporary name, its pixels are decoded and compared with
    those before, and only then it is renamed. Where a person's keywords stand in IPTC
    alone, XMP gets them, too: programs that find words there look no further.

    Args:
        path: A JPEG, PNG, TIFF or WebP.
        change: What shall be otherwise.
        exiv2: What writes.
        note: Called with the file's content before and after, before it is renamed.

    Returns:
        Whether the file was written: not if it says all of this already.

    Raises:
        OSError: When it cannot be read or written, or is a symbolic link.
        ValueError: When it is of another format, its XMP is damaged, or its pixels
            would be others.
    """
    if not os.fspath(path).lower().endswith(EMBEDDING_EXTENSIONS):
        raise ValueError(f"only {', '.join(EMBEDDING_EXTENSIONS)} are written into")
    before = read_file(path, MOST_BYTES)
    if before is None:
        raise FileNotFoundError(f"{os.fspath(path)} is gone.")
    pixels = pixel_digest(before)
    packet = exiv2.read(path)
    wanted = edit(packet, _with_iptc(path, packet, change))
    if wanted == (edit(None, Change()) if packet is None else packet):
        return False
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(before)
        shutil.copymode(path, temporary)
        exiv2.write(temporary, None if is_empty(wanted) else wanted)
        after = temporary.read_bytes()
        if pixel_digest(after) != pixels:
            raise ValueError("its pixels would change")
        if read_file(path, MOST_BYTES) != before:
            raise ValueError("somebody else is writing it")
        note(before, after)
    return True


def pixel_digest(content: bytes) -> bytes:
    """SHA-256 of the decoded pixels of all pictures in an image file.

    Args:
        content: Its content.

    Raises:
        ValueError: When it cannot be decoded, or is of a format that is not written.
    """
    digest = hashlib.sha256()
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            for frame in ImageSequence.Iterator(image):
                digest.update(f"{frame.mode} {frame.size}".encode())
                digest.update(bytes(frame.getpalette() or ()))
                digest.update(frame.tobytes())
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"its pixels cannot be compared: {error}") from error
    return digest.digest()


def _with_iptc(path, packet, change):
    if packet is not None and read_keywords(Packet(packet)) != Keywords():
        return change
    old = read_embedded(path)
    if old.description is not None and change.description is None:
        change = dataclasses.replace(change, description=old.description)
    return dataclasses.replace(change, human=(*old.human, *change.human))
