"""Contact sheets: images in rows, with what was said about them below."""

import os
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from annotator import files
from annotator.pictures.drawing import INK, RIGHT, WRONG, fit_picture, load_font

# A text and whether it is right; neither right nor wrong is `None`.
Piece = tuple[str, bool | None]

_BORDER = "#d0d7de"


def write_contact_sheet(
    pictures: Sequence[np.ndarray | bytes],
    texts: Sequence[Sequence[str | Sequence[Piece]]],
    path: str | os.PathLike[str],
    columns: int = 4,
    side: int = 224,
) -> None:
    """Draws images in rows, each with its lines of text below, as one PNG file.

    Images keep their aspect and are scaled to fit a square; those far smaller are
    enlarged by a whole factor, which leaves their pixels sharp. Long lines wrap.

    Args:
        pictures: Sequence of N images: uint8 `[height, width, 3]`, or the `bytes` of
            a file that `annotator.images.decode_image` reads.
        texts: Sequence of N lists of lines. A line is a string, or a list of
            `(text, correct)`: the texts stand side by side, colored as right
            (`True`), wrong (`False`) or neither (`None`).
        path: The PNG file to write, whole or not at all.
        columns: Images per row at most.
        side: Width and height in pixels that an image may take; text follows in size.

    Raises:
        ValueError: When there are no images, or not one list of lines for each.

    Example:

    ```python
    texts = [["a red ball", [("red", True), ("sky", False)]]]
    write_contact_sheet([pixels], texts, "sheet.png")
    ```
    """
    if not len(pictures) or len(pictures) != len(texts):
        raise ValueError(
            f"Expected one list of lines for each of at least one image, got "
            f"{len(pictures)} images and {len(texts)} lists."
        )
    font, gap = load_font(max(8, side // 14)), max(4, side // 12)
    cells = [
        (fit_picture(picture, side), _wrapped(lines, font, side))
        for picture, lines in zip(pictures, texts, strict=True)
    ]
    columns = min(columns, len(cells))
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    line_height = round(1.35 * font.size)
    heights = [
        (
            max(image.height for image, _ in row),
            max(len(lines) for _, lines in row) * line_height,
        )
        for row in rows
    ]
    width = columns * (side + gap) + gap
    height = sum(map(sum, heights)) + len(rows) * (gap + gap // 2) + gap
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    top = gap
    for row, (image_height, text_height) in zip(rows, heights, strict=True):
        baseline = top + image_height  # images of a row stand on one line
        for column, (image, lines) in enumerate(row):
            left = gap + column * (side + gap)
            corner = (left, baseline - image.height)
            sheet.paste(image, corner)
            # A frame, since many pictures have a white background as well.
            end = (left + image.width, baseline)
            draw.rectangle((corner[0] - 1, corner[1] - 1, *end), outline=_BORDER)
            for number, pieces in enumerate(lines):
                y = baseline + gap // 2 + number * line_height
                for x, text, color in pieces:
                    draw.text((left + x, y), text, color, font)
        top = baseline + text_height + gap + gap // 2
    with files.atomic_path(path) as temporary:
        sheet.save(temporary, "png", optimize=True)


def _wrapped(lines, font, width):
    """Lines broken to the width: lists of `(x, text, color)`."""
    # Pillow's own font has no letters beyond ASCII and draws boxes for them.
    ascii_only = font.getname()[0] == "Aileron"
    wrapped = []
    for line in lines:
        pieces = [(line, None)] if isinstance(line, str) else line
        wrapped.append([])
        x = 0
        for text, correct in pieces:
            color = {None: INK, True: RIGHT, False: WRONG}[correct]
            if ascii_only:
                text = _plain_letters(text)
            for word in _words(text, font, width):
                length = font.getlength(word)
                if x and x + length > width:
                    wrapped.append([])
                    x = 0
                wrapped[-1].append((x, word, color))
                x += length + font.getlength(" ")
            if len(pieces) > 1:
                x += font.getlength(" ")  # sets the texts of a line apart
    return wrapped


def _words(text, font, width):
    """The words of a text; one too long for a line comes in parts."""
    for word in text.split():
        start = 0
        for end in range(1, len(word)):
            if font.getlength(word[start : end + 1]) > width:
                yield word[start:end]
                start = end
        yield word[start:]


def _plain_letters(text):
    """Letters without their accents, and `?` for what has no ASCII letter."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return bare.encode("ascii", "replace").decode("ascii")
