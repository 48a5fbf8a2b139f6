"""A captioner at work on the images of a split: captions, and where it looked."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from annotator.captioner import Captioner
from annotator.captioner.word_probability import mean_log_probs
from annotator.pictures.attention import attention_picture
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.runs.splits import Split
from annotator.terminal.progress import CAPTIONING, Running, track

# Images whose attention is computed together.
AT_ONCE = 8
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class SaidCaptions:
    """What a captioner said of the N images of a split.

    Attributes:
        captions: The best caption of each.
        mean_log_probs: As of `annotator.captioner.word_probability`, float32 `[N]`.
        seconds: What it took, without making the graph.
    """

    captions: list[str]
    mean_log_probs: np.ndarray
    seconds: float


def describe_split(run: Run, name: str) -> SaidCaptions:
    """What a run's captioner says of a split; it is asked once.

    Args:
        run: The run, whose captioner is trained.
        name: Name of the split.
    """
    if name not in run.said:
        run.said[name] = _describe(run, name)
    return run.said[name]


def _describe(run, name):
    captioner, split = run.captioner(), run.split(CAPTIONER, name)

    def describe(regions):
        said = captioner.generate(regions)
        return said["captions"], mean_log_probs(said["tokens"], said["log_probs"])

    where, batches = f"{run.config.dataset} {name}", -(-len(split) // _BATCH)
    running = run.progress.stage(CAPTIONING, where, batches, "batch")
    regions = split.regions(_BATCH)
    # One graph, for the last batch as well, which has fewer images.
    describe = tf.function(describe, autograph=False).get_concrete_function(
        regions.element_spec
    )
    captions, means = [], []
    start = time.monotonic()
    for batch in track(regions, running):
        texts, of_batch = describe(batch)
        captions += [text.decode("utf-8") for text in texts.numpy().tolist()]
        means.append(of_batch.numpy())
    seconds = time.monotonic() - start
    return SaidCaptions(captions, np.concatenate(means), seconds)


def caption_function(captioner: Captioner, with_feedback: bool = True) -> Any:
    """The `tf.function` from regions `[B, R, D]` to captions, string `[B]`.

    Args:
        captioner: `Captioner`.
        with_feedback: As of `Captioner.generate`.
    """

    def caption(regions):
        return captioner.generate(regions, with_feedback=with_feedback)["captions"]

    return tf.function(caption, autograph=False)


def generate(
    caption: Any, regions: tf.data.Dataset, running: Running | None = None
) -> list[str]:
    """Captions of images, a list of N strings.

    Args:
        caption: From `caption_function`.
        regions: `tf.data.Dataset` of regions `[B, R, D]`.
        running: The stage that batches are the steps of, if it is told of.
    """
    # One graph, for the last batch as well, which has fewer images.
    captions_of = caption.get_concrete_function(regions.element_spec)
    batches = regions if running is None else track(regions, running)
    return [
        text.decode("utf-8")
        for batch in batches
        for text in captions_of(batch).numpy().tolist()
    ]


def explain_function(captioner: Captioner) -> Any:
    """The `tf.function` from regions `[B, R, D]` to captions and attention.

    Args:
        captioner: `Captioner`.
    """
    return tf.function(
        lambda some: captioner.generate(some, return_attention=True), autograph=False
    )


def attention_details(
    captioner: Captioner, regions: tf.data.Dataset, explain: Any = None
) -> Iterator[dict[str, np.ndarray]]:
    """Captions with where the captioner looked.

    Args:
        captioner: `Captioner`.
        regions: `tf.data.Dataset` of regions `[B, R, D]`; all that is known of an image
            takes megabytes, so B should be small.
        explain: The captioner's `explain_function`, where its graph is to be kept for
            the next time; by default one is made.

    Yields:
        Of each image what `Captioner.generate` returns with `return_attention`, without
        the batch dimension.
    """
    # One graph for all: op by op each step of the search takes a second.
    explain = explain or explain_function(captioner)
    details_of = explain.get_concrete_function(regions.element_spec)
    for some in regions:
        details = {name: value.numpy() for name, value in details_of(some).items()}
        for i in range(len(some)):
            yield {name: value[i] for name, value in details.items()}


def attention_pictures(
    captioner: Captioner,
    split: Split,
    regions: tf.data.Dataset | None = None,
    explain: Any = None,
) -> Iterator[tuple[str, Image.Image]]:
    """Draws where a captioner looked.

    Args:
        captioner: `Captioner`.
        split: `Split` of N images.
        regions: `tf.data.Dataset` of their regions `[B, R, D]`; those of the split by
            default.
        explain: As of `attention_details`.

    Yields:
        `(image id, PIL.Image)` of each.
    """
    encoded = split.annotated.encoded_images().as_numpy_iterator()
    regions = split.regions(AT_ONCE) if regions is None else regions
    details = attention_details(captioner, regions, explain)
    for image_id, of_image in zip(split.annotated.image_ids, details, strict=True):
        _, image = next(encoded)
        yield image_id, attention_picture(image, of_image)
