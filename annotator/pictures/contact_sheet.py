"""Pictures for people: images with what was said about them below."""

import unicodedata

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from annotator import files
from annotator.images import decode as images

# Told apart by color-blind readers too (after Okabe and Ito), dark enough for text.
INK, RIGHT, WRONG = "#1f2328", "#00795a", "#c44f00"
_BORDER = "#d0d7de"


def contact_sheet(pictures, texts, path, columns=4, side=224):
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
        ValueError: If there are no images, or not one list of lines for each.

    Example:

    ```python
    contact_sheet([pixels], [["a red ball", [("red", True), ("sky", False)]]], "a.png")
    ```
    """
    if not len(pictures) or len(pictures) != len(texts):
        raise ValueError(
            f"Expected one list of lines for each of at least one image, got "
            f"{len(pictures)} images and {len(texts)} lists."
        )
    font, gap = load_font(max(8, side // 14)), max(4, side // 12)
    cells = [
        (_fit(picture, side), _wrapped(lines, font, side))
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


def _fit(picture, side):
    """The picture as a PIL image of at most `side` by `side`."""
    if isinstance(picture, bytes):
        picture = images.decode_image(picture).numpy()
    image = Image.fromarray(np.asarray(picture))
    longest = max(image.size)
    # Interpolation would blur an icon; a photograph has pixels enough for it.
    whole = side // longest
    scale, method = (
        (whole, Image.Resampling.NEAREST)
        if whole >= 4
        else (side / longest, Image.Resampling.LANCZOS)
    )
    size = [max(1, round(scale * pixels)) for pixels in image.size]
    return image.resize(size, method)


def load_font(size):
    """A font with more than Latin letters if the machine has one, else Pillow's own."""
    for name in ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            pass
    return ImageFont.load_default(size)


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
