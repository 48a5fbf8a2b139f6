"""Images with what was said of them, in the groups that a rule made."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from annotator.datasets import AnnotatedImages
from annotator.evaluation.report.charts import histogram
from annotator.evaluation.report.choice import Choice
from annotator.evaluation.report.markup import Markup, join, tag
from annotator.evaluation.report.score_table import percent
from annotator.pictures.drawing import data_uri, fit_picture

_SIDE = 480  # pixels of the longer side
# Width to height of the ground that a picture lies on.
_MAT = 4 / 3


def gallery(
    choice: Choice,
    scores: np.ndarray,
    measure: str,
    card: Callable[[int], Markup],
) -> Markup:
    """The chosen images in three groups, below the rule that chose them.

    Args:
        choice: The rows of each group.
        scores: float `[N]` of all images, by which they were ranked; fractions.
        measure: Their name.
        card: From a row to what is shown of it.
    """
    ranked = scores[~np.isnan(scores)]
    rule = (
        f"The {len(ranked):,} images are ranked by {measure}; equal ones stand in the "
        "order of the split. Shown are the first, those around the middle, and the "
        "last: nobody picked them."
    )
    if unranked := len(scores) - len(ranked):
        have = "has" if unranked == 1 else "have"
        rule += f" {unranked:,} {have} nothing to be ranked by."
    chart = histogram(
        f"How many images have which {measure}",
        100 * ranked,
        f"{measure} of an image (%); marks: shown below",
        "images",
        100 * scores[choice.rows],
    )
    parts = [tag("p", rule, class_="rule"), tag("figure", chart, class_="chart wide")]
    groups = {
        "Best": choice.best,
        "Middling": choice.middling,
        "Worst": choice.worst,
    }
    for title, rows in groups.items():
        if not len(rows):
            continue
        span = f"{measure} {percent(scores[rows[0]])}"
        if len(rows) > 1:
            span += f" to {percent(scores[rows[-1]])}"
        cards = tag("div", *(card(int(row)) for row in rows), class_="cards")
        span = tag("span", span, class_="span")
        parts += [tag("h4", title, " ", span), cards]
    return join(parts)


def read_images(annotated: AnnotatedImages, rows: np.ndarray) -> dict[int, bytes]:
    """The files of some images.

    Args:
        annotated: The images of a split.
        rows: int `[M]`, ascending.

    Returns:
        From each row to the bytes of its file.

    Raises:
        OSError: If one cannot be read.
    """
    stream = annotated.select(rows).encoded_images().as_numpy_iterator()
    return {
        # What is empty could not be read, and this says why.
        int(row): encoded or annotated.source.read(row)
        for row, (_, encoded) in zip(rows, stream, strict=True)
    }


def picture_card(
    encoded: bytes,
    image_id: str,
    score: str,
    *content: Markup | None,
    maps: np.ndarray | None = None,
    cropped: bool = False,
) -> Markup:
    """An image in its proportions, above what is said of it.

    Args:
        encoded: The image file.
        image_id: Its name.
        score: Its score, in words.
        *content: What is said of it.
        maps: Where a captioner looked at each word, float `[T, side, side]`, each at
            most 1.
        cropped: Whether it saw the middle square of the image alone.
    """
    image = fit_picture(encoded, _SIDE)
    ratio = image.width / image.height
    width = 100 * min(1.0, ratio / _MAT)
    photo = tag(
        "img",
        src=data_uri(image),
        alt=f"Image {image_id}",
        width=image.width,
        height=image.height,
        loading="lazy",
        decoding="async",
    )
    looked: dict[str, Any] = {}
    place: Markup | None = None
    if maps is not None:
        shades = np.uint8(np.round(255 * np.clip(maps, 0, 1)))
        looked = {
            "data_maps": base64.b64encode(shades.tobytes()).decode(),
            "data_side": maps.shape[-1],
        }
        place = tag("canvas", hidden=True, style=_seen(image) if cropped else None)
    style = f"width:{width:.2f}%;aspect-ratio:{image.width}/{image.height}"
    mat = tag(
        "div", tag("div", photo, place, class_="photo", style=style), class_="mat"
    )
    named = tag("p", tag("span", score), tag("span", image_id), class_="named")
    text = tag("figcaption", *content, named)
    return tag("figure", mat, text, class_="card", **looked)


def _seen(image: Image.Image) -> str:
    """The place of the middle square of an image, as CSS."""
    side = min(image.size)
    left = 50 * (image.width - side) / image.width
    top = 50 * (image.height - side) / image.height
    size = f"width:{100 - 2 * left:.2f}%;height:{100 - 2 * top:.2f}%"
    return f"left:{left:.2f}%;top:{top:.2f}%;{size}"


def spoken_caption(
    words: Sequence[str], unheard: Sequence[bool], looked: bool
) -> Markup:
    """A caption, whose words are buttons where it is known what was looked at.

    Args:
        words: Its words.
        unheard: Of each whether no reference has it.
        looked: Whether there is a map for each.
    """
    spans: list[Markup | str] = []
    for number, (word, alone) in enumerate(zip(words, unheard, strict=True)):
        name = "unheard" if alone else None
        if looked:
            # One stop for the whole caption: arrow keys go from word to word.
            first = 0 if number == 0 else -1
            span = tag("button", word, type="button", class_=name, tabindex=first)
        else:
            span = tag("span", word, class_=name)
        spans += [span, " "]
    if not words:
        spans.append(tag("span", "nothing was said", class_="none"))
    label = "Caption; arrow keys go from word to word" if looked else None
    role = "group" if looked else None
    return tag("p", *spans, class_="said", role=role, aria_label=label)
