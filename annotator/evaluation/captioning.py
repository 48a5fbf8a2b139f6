"""A captioner at work on the images of a split: captions, and where it looked."""

from collections.abc import Callable, Iterator

import tensorflow as tf
import tqdm
from PIL import Image

from annotator.captioner import Captioner
from annotator.pictures.attention import attention_picture
from annotator.runs.splits import Split


def caption_function(
    captioner: Captioner, with_feedback: bool = True
) -> Callable[[tf.Tensor], tf.Tensor]:
    """The graph from regions `[B, R, D]` to captions, string `[B]`.

    Args:
        captioner: `Captioner`.
        with_feedback: As of `Captioner.generate`.
    """

    def caption(regions):
        return captioner.generate(regions, with_feedback=with_feedback)["captions"]

    return tf.function(caption, reduce_retracing=True)


def generate(
    caption: Callable[[tf.Tensor], tf.Tensor], regions: tf.data.Dataset
) -> list[str]:
    """Captions of images, a list of N strings.

    Args:
        caption: From `caption_function`.
        regions: `tf.data.Dataset` of regions `[B, R, D]`.
    """
    total = regions.cardinality().numpy()
    batches = tqdm.tqdm(regions, "captioning", total, unit="batch", leave=False)
    return [
        text.decode("utf-8")
        for regions in batches
        for text in caption(regions).numpy().tolist()
    ]


def attention_pictures(
    captioner: Captioner, split: Split, regions: tf.data.Dataset | None = None
) -> Iterator[tuple[str, Image.Image]]:
    """Draws where a captioner looked.

    Args:
        captioner: `Captioner`.
        split: `Split` of N images.
        regions: `tf.data.Dataset` of their regions `[B, R, D]`; those of the split by
            default.

    Yields:
        `(image id, PIL.Image)` of each.
    """
    encoded = split.annotated.encoded_images().as_numpy_iterator()
    image_ids = iter(split.annotated.image_ids)
    # A few at a time: all that the captioner knows of an image takes megabytes.
    for some in split.regions(8) if regions is None else regions:
        details = captioner.generate(some, return_attention=True)
        details = {name: value.numpy() for name, value in details.items()}
        for i in range(len(some)):
            of_image = {name: value[i] for name, value in details.items()}
            _, image = next(encoded)
            yield next(image_ids), attention_picture(image, of_image)
