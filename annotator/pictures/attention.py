"""Pictures of where a captioner looked, with a small map for every word."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from annotator.pictures.drawing import INK, RIGHT, load_font, load_picture

# What nobody looks at stays visible, at this share of its brightness.
_DARKEST = 0.15


def attention_picture(
    picture: np.ndarray | bytes, details: Mapping[str, Any], side: int = 112
) -> Image.Image:
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
        The picture.

    Raises:
        ValueError: When the decoder has no attention or the regions are no square.
    """
    attention = np.asarray(details["attention"])
    if not attention.shape[1]:
        raise ValueError("This decoder has no attention that could be drawn.")
    image = load_picture(picture).resize((side, side))
    caption = _text(details["captions"])
    region_weights = np.asarray(details.get("region_weights", []))
    blocks = []
    for i, draft in enumerate(details.get("drafts", [])):
        maps = np.asarray(details["draft_attention"])[i]
        notes = _percent(np.asarray(details["word_weights"])[i])
        blocks.append(_Block(f"draft {i + 1}", _text(draft), maps, notes))
        blocks.append(_Block(None, None, region_weights[i][None, None]))
    if "plain_attention" in details:  # causal: weights of the regions for each word
        plain = np.asarray(details["plain_attention"])
        notes = _percent(np.asarray(details["word_weights"])[len(caption.split())])
        blocks.append(_Block("without feedback", caption, plain, notes))
        blocks.append(
            _Block("caption", caption, attention, region_weights=region_weights)
        )
    else:
        blocks.append(_Block("caption", caption, attention))
    drawn = [_draw_block(image, block) for block in blocks]
    return _stack([_header(image, caption, side), *drawn])


@dataclasses.dataclass
class _Block:
    """A text with the maps of its words.

    Attributes:
        title: What stands above it, or `None`.
        text: The words; `None` stands for the feedback of a draft, one map.
        maps: `[T, layers, R]`, at least as many as words.
        notes: A text for each word, or `None`.
        region_weights: `[T, R]`, another row of maps, or `None`.
    """

    title: str | None
    text: str | None
    maps: np.ndarray
    notes: list[str] | None = None
    region_weights: np.ndarray | None = None


def _percent(shares):
    return [f"{100 * share:.0f} %" for share in shares]


def _text(value):
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _header(image, caption, side):
    font = load_font(side // 6)
    width = image.width + side // 8 + math.ceil(font.getlength(caption))
    header = Image.new("RGB", (width, side), "white")
    header.paste(image, (0, 0))
    position = (image.width + side // 8, side // 2)
    ImageDraw.Draw(header).text(position, caption, INK, font, anchor="lm")
    return header


def _draw_block(image, block):
    """The maps of a block, in columns of words and rows of layers."""
    side, font = image.width, load_font(image.width // 8)
    gap, line = side // 16, round(1.4 * font.size)
    layers = block.maps.shape[1]
    if block.text is None:  # the feedback: one map for the whole draft
        words, names = ["the regions' new weights"], ["feedback"]
    else:
        words = block.text.split()
        first = 2 if layers > 1 or block.title else 1
        names = [f"layer {first + i}" for i in range(layers)]
    maps = block.maps[: len(words)]
    if block.region_weights is not None:
        weights = block.region_weights[: len(words), None]
        maps = np.concatenate([weights, maps], axis=1)
        names.insert(0, "feedback")
    left = math.ceil(max(font.getlength(name) for name in [*names, "feedback"])) + gap
    top = line * (3 if block.notes else 2)
    size = (
        left + max(len(words) * (side + gap), math.ceil(font.getlength(words[0]))),
        top + len(names) * (side + gap),
    )
    drawn = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(drawn)
    draw.text((0, line // 4), block.title or "", INK, font)
    for row, name in enumerate(names):
        position = (0, top + row * (side + gap) + side // 2)
        draw.text(position, name, INK, font, anchor="lm")
    for column, word in enumerate(words):
        x = left + column * (side + gap)
        draw.text((x, line), word, INK, font)
        if block.notes:
            draw.text((x, 2 * line), block.notes[column], RIGHT, font)
        for row in range(len(names)):
            lit = _spotlight(image, maps[column, row])
            drawn.paste(lit, (x, top + row * (side + gap)))
    return drawn


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
    height = sum(part.height + gap for part in parts) + gap
    sheet = Image.new("RGB", (width, height), "white")
    top = gap
    for part in parts:
        sheet.paste(part, (gap, top))
        top += part.height + gap
    return sheet
