"""The bodies of requests: JSON whose structure is bounded, image files, and forms."""

import base64
import binascii
import io
import json
import re
import secrets
from typing import Any

from annotator.files.image_formats import JPEG_BEGIN

# Brackets, commas and colons of a request: two images of 224 x 224 pixels as numbers.
# Each becomes an object of Python, which takes fifty times the room of its text.
MAX_VALUES = 1 << 19
MAX_TEXT = 1 << 24
_STRUCTURE = (b"[", b"{", b",", b":")
_KEY = b'"b64"'
_BASE64 = re.compile(rb'"b64"\s{0,16}:\s{0,16}"')
# Of what is long: between pieces, other threads come.
_PIECE = 1 << 18
# Of a form, and bytes of the header of each.
_MAX_PARTS, _MAX_HEAD = 10_000, 4096
_BEGINS = (JPEG_BEGIN, b"\x89PNG", b"GIF8", b"BM", b"RIFF")


class BadRequest(ValueError):
    """A request that is not of a form that is stated; the message says why."""


class Encoded:
    """The content of a file in base64, within the JSON that it stands in.

    Args:
        body: The JSON.
        begin: Where the text begins in it.
        end: Where it ends.
    """

    def __init__(self, body: bytes, begin: int, end: int) -> None:
        self.body, self.begin, self.end = body, begin, end

    def decode(self) -> bytes:
        """The content.

        Raises:
            binascii.Error: When it is not base64.
        """
        if self.body.find(b"=", self.begin, self.end - 2) >= 0:
            raise binascii.Error("padding before the end")
        content = io.BytesIO()
        with memoryview(self.body) as body:
            for begin in range(self.begin, self.end, _PIECE):
                piece = bytes(body[begin : min(begin + _PIECE, self.end)])
                content.write(base64.b64decode(piece, validate=True))
        return content.getvalue()


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
    if len(text) > MAX_TEXT or _has_more_values(text, MAX_VALUES):
        raise BadRequest(
            f"The request is JSON of more than {MAX_VALUES} values, or of more than "
            f"{MAX_TEXT} bytes beside base64. Send images as files, in base64."
        )

    def put_back(pairs):
        return {key: cut.get(_text(value), value) for key, value in pairs}

    try:
        return json.loads(text, object_pairs_hook=put_back if cut else None)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The request is not JSON: {error}") from error


def _text(value):
    return value if isinstance(value, str) else None


def _has_more_values(text, most):
    values = 0
    for begin in range(0, len(text), _PIECE):
        piece = text[begin : begin + _PIECE]
        values += sum(map(piece.count, _STRUCTURE))
        if values > most:
            return True
    return False


def _without_base64(body):
    """`(text, cut)`: the JSON, and what stood where it has the keys of `cut`."""
    parts: list[bytes] = []
    cut: dict[str | None, Encoded] = {}
    position = search = 0
    mark = secrets.token_hex(8)  # nobody can write the text of another's place
    for _ in range(MAX_VALUES):
        if (search := body.find(_KEY, search)) < 0:
            break
        match = _BASE64.match(body, search)
        search += len(_KEY)
        if match is None:
            continue
        begin = match.end()
        end = body.find(b'"', begin)
        # What is short or has escapes is left to the parser.
        if end - begin < 256 or body.find(b"\\", begin, end) >= 0:
            continue
        key = f"{mark}-{len(cut)}"
        cut[key] = Encoded(body, begin, end)
        parts += [body[position:begin], key.encode()]
        position = search = end
    return (b"".join([*parts, body[position:]]), cut) if cut else (body, cut)


def _files_of_form(body, options):
    """The files of `multipart/form-data` (RFC 7578)."""
    match = re.search(r'boundary="?([^";]{1,70})"?', options)
    if match is None:
        raise BadRequest("The form has no boundary.")
    contents = []
    for number, (begin, end) in enumerate(_parts(body, b"\r\n--" + match[1].encode())):
        if number == _MAX_PARTS:
            raise BadRequest(f"The form has more than {_MAX_PARTS} parts.")
        begin_of_content = body.find(b"\r\n\r\n", begin, end) + 4
        if begin_of_content < 4:
            continue
        head = body[begin : min(begin_of_content, begin + _MAX_HEAD)]
        is_image = body.startswith(_BEGINS, begin_of_content, end)
        if is_image or b"filename=" in head.lower():
            contents.append(body[begin_of_content:end])
    if not contents:
        raise BadRequest("The form holds no file.")
    return contents


def _parts(body, mark):
    """Yields where each part begins and ends."""
    begin = len(mark) - 2  # nothing comes before the first mark, not even a line's end
    if not body.startswith(mark[2:]):
        begin = body.find(mark) + len(mark)
        if begin < len(mark):
            return
    while (end := body.find(mark, begin)) >= 0:
        yield begin, end
        begin = end + len(mark)
