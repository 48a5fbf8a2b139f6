"""Where a captioner looked: one picture an image, a small map for every word."""

import math

import numpy as np
from PIL import Image, ImageDraw

from annotator.images import decode as images
from annotator.pictures import contact_sheet as pictures

# What nobody looks at stays visible, at this share of its brightness.
_DARKEST = 0.15


def attention_picture(picture, details, side=112):
    """Draws the caption of an image, and below its words where each layer looked.

    Bright is where a map is near its maximum. With feedback from drafts, the draft
    and its maps come first, with the share of each of its words in the feedback; then
    the weights that it gave the regions; then the caption written with these. With
    causal feedback the maps of the caption without feedback come first, with the share
    of each word in the feedback at `<end>`. Scores of words do not change from step to
    step, so at an earlier step the words before it have the same shares up to a factor.
    Then comes the caption with feedback, where the weights that each word's regions got
    are another row of maps.

    Args:
        picture: uint8 `[height, width, 3]`, or the `bytes` of an image file.
        details: What `Captioner.generate` returns with `return_attention` for this
            image, without the batch dimension; arrays or tensors. R must be square.
        side: Width and height of a map in pixels.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ValueError: If the decoder has no attention or the regions are no square.
    """
    if isinstance(picture, bytes):
        picture = images.decode_image(picture).numpy()
    attention = np.asarray(details["attention"])
    if not attention.shape[1]:
        raise ValueError("This decoder has no attention that could be drawn.")
    image = Image.fromarray(np.uint8(picture)).resize((side, side))
    caption = _text(details["captions"])
    region_weights = np.asarray(details.get("region_weights", []))
    blocks = []
    for i, draft in enumerate(details.get("drafts", [])):
        draft = _text(draft)
        word_weights = np.asarray(details["word_weights"])[i]
        maps = np.asarray(details["draft_attention"])[i]
        blocks.append((f"draft {i + 1}", draft, maps, _percent(word_weights), None))
        blocks.append((None, None, region_weights[i][None, None], None, None))
    if "plain_attention" in details:  # causal: weights of the regions for each word
        plain = np.asarray(details["plain_attention"])
        notes = _percent(np.asarray(details["word_weights"])[len(caption.split())])
        blocks.append(("without feedback", caption, plain, notes, None))
        blocks.append(("caption", caption, attention, None, region_weights))
    else:
        blocks.append(("caption", caption, attention, None, None))
    return _stack(
        [_header(image, caption, side)] + [_block(image, *block) for block in blocks]
    )


def _percent(shares):
    return [f"{100 * share:.0f} %" for share in shares]


def _text(value):
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _header(image, caption, side):
    font = pictures.load_font(side // 6)
    width = image.width + side // 8 + math.ceil(font.getlength(caption))
    header = Image.new("RGB", (width, side), "white")
    header.paste(image, (0, 0))
    place = (image.width + side // 8, side // 2)
    ImageDraw.Draw(header).text(place, caption, pictures.INK, font, anchor="lm")
    return header


def _block(image, title, text, maps, notes, region_weights):
    """Maps `[T, layers, R]` in columns of words and rows of layers."""
    side, font = image.width, pictures.load_font(image.width // 8)
    gap, line = side // 16, round(1.4 * font.size)
    if text is None:  # the feedback: one map for the whole draft
        words, names = ["the regions' new weights"], ["feedback"]
    else:
        words = text.split()
        first = 2 if maps.shape[1] > 1 or title else 1
        names = [f"layer {first + i}" for i in range(maps.shape[1])]
    maps = maps[: len(words)]
    if region_weights is not None:
        maps = np.concatenate([region_weights[: len(words), None], maps], axis=1)
        names.insert(0, "feedback")
    left = math.ceil(max(font.getlength(name) for name in [*names, "feedback"])) + gap
    top = line * (3 if notes else 2)
    size = (
        left + max(len(words) * (side + gap), math.ceil(font.getlength(words[0]))),
        top + len(names) * (side + gap),
    )
    block = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(block)
    draw.text((0, line // 4), title or "", pictures.INK, font)
    for row, name in enumerate(names):
        place = (0, top + row * (side + gap) + side // 2)
        draw.text(place, name, pictures.INK, font, anchor="lm")
    for column, word in enumerate(words):
        x = left + column * (side + gap)
        draw.text((x, line), word, pictures.INK, font)
        if notes:
            draw.text((x, 2 * line), notes[column], pictures.RIGHT, font)
        for row in range(len(names)):
            lit = _spotlight(image, maps[column, row])
            block.paste(lit, (x, top + row * (side + gap)))
    return block


def _spotlight(image, weights):
    """The image, dark where the weights `[R]` are small."""
    grid = math.isqrt(len(weights))
    if grid * grid != len(weights):
        raise ValueError(f"{len(weights)} regions are no square grid to draw.")
    shares = np.float32(weights / max(weights.max(), 1e-12)).reshape(grid, grid)
    light = Image.fromarray(shares).resize(image.size, Image.Resampling.BILINEAR)
    light = _DARKEST + (1 - _DARKEST) * np.asarray(light)
    return Image.fromarray(np.uint8(np.asarray(image) * light[..., None]))


def _stack(parts):
    gap = 12
    width = max(part.width for part in parts) + 2 * gap
    sheet = Image.new("RGB", (width, sum(p.height + gap for p in parts) + gap), "white")
    top = gap
    for part in parts:
        sheet.paste(part, (gap, top))
        top += part.height + gap
    return sheet
