"""The bodies of requests: JSON whose structure is bounded, image files, and forms."""

import base64
import binascii
import json
import re
import secrets
from typing import Any

# Brackets, commas and colons of a request: two images of 224 x 224 pixels as numbers.
# Each becomes an object of Python, which takes fifty times the room of its text.
MAX_VALUES = 1 << 19
MAX_TEXT = 1 << 24
_STRUCTURE = (b"[", b"{", b",", b":")
_BASE64 = re.compile(rb'"b64"\s*:\s*"')
_PIECE = 1 << 20  # of base64: other threads come in between
_BEGINS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF")


class BadRequest(ValueError):
    """A request that is not of a form that is stated; the message says why."""


class Encoded:
    """The content of a file in base64, cut out of the JSON that it stood in."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def decode(self) -> bytes:
        """The content.

        Raises:
            binascii.Error: When it is not base64.
        """
        if b"=" in self.text[:-2]:
            raise binascii.Error("padding before the end")
        pieces = (
            self.text[begin : begin + _PIECE]
            for begin in range(0, len(self.text), _PIECE)
        )
        return b"".join(base64.b64decode(each, validate=True) for each in pieces)


def image_files(body: bytes, content_type: str) -> list[bytes] | None:
    """The image files that a body consists of.

    Args:
        body: The body of a request.
        content_type: Its header of that name.

    Returns:
        The content of each; `None` if it is no image and no form.

    Raises:
        BadRequest: When it is a form without files.
    """
    kind, _, options = content_type.partition(";")
    kind = kind.strip().lower()
    if kind == "multipart/form-data":
        return _files_of_form(body, options)
    if kind.startswith("image/") or body.startswith(_BEGINS):
        return [body]
    return None


def parse_json(body: bytes) -> Any:
    """Parses JSON of bounded structure.

    Strings of base64 are cut out beforehand: however long, they cost little.

    Args:
        body: The text.

    Returns:
        The value, with an `Encoded` for each long text of a key `b64`.

    Raises:
        BadRequest: When it is no JSON, or its structure has too many parts.
    """
    text, cut = _without_base64(body)
    values = sum(text.count(mark) for mark in _STRUCTURE)
    if values > MAX_VALUES or len(text) > MAX_TEXT:
        raise BadRequest(
            f"The request is JSON of {values} values in {len(text)} bytes beside "
            f"base64; at most {MAX_VALUES} in {MAX_TEXT} are taken. Send images as "
            "files, in base64."
        )

    def put_back(pairs):
        return {key: cut.get(_text(value), value) for key, value in pairs}

    try:
        return json.loads(text, object_pairs_hook=put_back if cut else None)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The request is not JSON: {error}") from error


def _text(value):
    return value if isinstance(value, str) else None


def _without_base64(body):
    """`(text, cut)`: the JSON, and what stood where it has the keys of `cut`."""
    parts: list[bytes] = []
    cut: dict[str | None, Encoded] = {}
    position = 0
    mark = secrets.token_hex(8)  # nobody can write the text of another's place
    for match in _BASE64.finditer(body):
        begin = match.end()
        end = body.find(b'"', begin)
        # What is short or has escapes is left to the parser.
        if begin < position or end - begin < 256 or body.find(b"\\", begin, end) >= 0:
            continue
        key = f"{mark}-{len(cut)}"
        cut[key] = Encoded(body[begin:end])
        parts += [body[position:begin], key.encode()]
        position = end
        if len(cut) > MAX_VALUES:
            break
    return (b"".join([*parts, body[position:]]), cut) if cut else (body, cut)


def _files_of_form(body, options):
    """The files of `multipart/form-data` (RFC 7578)."""
    match = re.search(r'boundary="?([^";]{1,70})"?', options)
    if match is None:
        raise BadRequest("The form has no boundary.")
    parts = (b"\r\n" + body).split(b"\r\n--" + match[1].encode())
    contents = []
    for part in parts[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head.lower() or content.startswith(_BEGINS):
            contents.append(content)
    if not contents:
        raise BadRequest("The form holds no file.")
    return contents
