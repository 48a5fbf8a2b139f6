"""A captioner at work on the images of a split: captions, and where it looked."""

import tensorflow as tf
import tqdm

from annotator.attention_pictures import attention_picture


def caption_function(captioner, with_feedback=True):
    """The graph from regions `[B, R, D]` to captions, string `[B]`."""

    def caption(regions):
        return captioner.generate(regions, with_feedback=with_feedback)["captions"]

    return tf.function(caption, reduce_retracing=True)


def generate(caption, regions):
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


def attention_pictures(captioner, annotated, regions):
    """Draws where a captioner looked.

    Args:
        captioner: `Captioner`.
        annotated: `AnnotatedImages`.
        regions: `[N, R, D]`, of these images.

    Yields:
        `(image id, PIL.Image)` of each.
    """
    details = captioner.generate(regions, return_attention=True)
    details = {name: value.numpy() for name, value in details.items()}
    encoded = annotated.encoded_images().as_numpy_iterator()
    for i, (image_id, (_, image)) in enumerate(
        zip(annotated.image_ids, encoded, strict=True)
    ):
        of_image = {name: value[i] for name, value in details.items()}
        yield image_id, attention_picture(image, of_image)
