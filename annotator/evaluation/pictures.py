"""Pictures of a scored split: contact sheets, and where the captioner looked."""

import os
from collections.abc import Sequence

import numpy as np

from annotator import files
from annotator.datasets import AnnotatedImages
from annotator.evaluation import captioning
from annotator.pictures import contact_sheet
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.terminal.progress import track


def spread_rows(count: int, wanted: int) -> np.ndarray:
    """Rows spread evenly over a split, the first and the last among them.

    Args:
        count: Rows of the split.
        wanted: How many; fewer come back where there are fewer.
    """
    return np.unique(np.linspace(0, count - 1, wanted).astype(int))


def draw_contact_sheet(
    run: Run, annotated: AnnotatedImages, texts: dict[str, list], shown: int
) -> None:
    """Draws some images with what was said of them.

    Args:
        run: The run, which knows where the picture goes.
        annotated: The images.
        texts: Lines of text of each image id.
        shown: Number of images, spread over the split.
    """
    rows = spread_rows(len(annotated), shown)
    encoded = annotated.select(rows).encoded_images().as_numpy_iterator()
    lines = [texts[annotated.image_ids[row]] for row in rows]
    path = run.files.contact_sheet(run.label(annotated.split))
    contact_sheet.write_contact_sheet([image for _, image in encoded], lines, path)
    print(f"pictures: {path}")


def draw_attention(run: Run, split: str, shown: int) -> None:
    """Draws a file for each of some images: the words, and where each layer looked.

    Args:
        run: A run with a trained captioner.
        split: Name of the split.
        shown: Number of images, spread over the split.
    """
    data = run.split(CAPTIONER, split)
    some = data.select(spread_rows(len(data), shown))
    folder = run.files.attention(run.label(split))
    drawn = captioning.attention_pictures(run.captioner(), some)
    named = zip(file_names(some.annotated.image_ids), drawn, strict=True)
    running = run.progress.stage("drawing", split, len(some), "image")
    for name, (_, picture) in track(named, running):
        with files.atomic_path(folder / f"{name}.png") as path:
            picture.save(path, "png")
    print(f"attention: {folder}")


def file_names(image_ids: Sequence[str]) -> list[str]:
    """A file name for each image, all different: `a_1` of `a/1.jpg`.

    Those that would be the same have a number behind them, `a_1-2`, and long ones are
    cut: a file system takes 255 bytes.

    Args:
        image_ids: The images' ids.
    """
    names: list[str] = []
    for image_id in image_ids:
        stem = os.path.splitext(image_id)[0].strip("./").replace("/", "_")
        stem = stem.encode("utf-8", "replace")[:200].decode("utf-8", "ignore")
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names
