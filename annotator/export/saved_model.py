"""Exports of models: SavedModels for serving, which scripts load as Keras models too.

An export holds everything: pixels are decoded, resized, normalized and described in
one graph, so it needs neither this package nor the data it was trained on.
"""

import os
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from annotator import files
from annotator.export import serving_files
from annotator.export.keras_model import weights_in_order, write_description
from annotator.export.libraries import library_versions
from annotator.export.versions import MANIFEST, version_numbers
from annotator.images.decode import decode_image
from annotator.images.resize import Resize
from annotator.keras_support import gradients


def image_model(
    backbone: keras.Model,
    resizes: Sequence[Resize],
    head: Callable[[Any], dict[str, Any]],
    name: str,
) -> tuple[keras.Model, keras.Model]:
    """Joins backbone and head to one model on images.

    Args:
        backbone: Model from `annotator.backbones.backbone.build_backbone` with one tap.
        resizes: The views of an image; their regions stand side by side.
        head: Callable from regions `[batch, R, channels]` to outputs, made of layers.
        name: Name of the model.

    Returns:
        `(model, views_model)`, which share all weights: `model` takes RGB images
        `[batch, height, width, 3]`, values 0 to 255, all of one size; `views_model`
        takes the list of resized views.
    """
    views = [
        keras.Input((resize.size, resize.size, 3), name=f"view_{index}")
        for index, resize in enumerate(resizes)
    ]
    outputs = head(_regions(backbone, views))
    views_model = keras.Model(views, outputs, name=f"{name}_of_views")
    pixels = keras.Input((None, None, 3), name="images")
    outputs = views_model([resize(pixels) for resize in resizes])
    return keras.Model(pixels, outputs, name=name), views_model


def save(
    directory: str | os.PathLike,
    name: str,
    model: keras.Model,
    views_model: keras.Model,
    resizes: Sequence[Resize],
    manifest: Mapping[str, Any],
    served: Collection[str],
    details: keras.Model | None = None,
    extras: Mapping[str, Callable[[pathlib.Path], None]] | None = None,
    keras_file: bool = False,
) -> list[pathlib.Path]:
    """Writes the next version of a model: `directory/name/<version>/`.

    The folder appears at once, whole, and needs nothing outside itself: the SavedModel,
    what `annotator.export.keras_model` needs to make a Keras model of it, a request
    that warms up TensorFlow Serving, and `assets.extra/annotator.json`, the manifest
    with the SHA-256 of every file. In `directory` stands what TensorFlow Serving is
    told of all models. Each weight is stored once.

    Args:
        directory: The workdir's `export` folder.
        name: Name of the served model; versions 1, 2, ... are folders below it.
        model: The model of images, from `image_model`.
        views_model: The model of views, from `image_model`.
        resizes: The views.
        manifest: JSON-ready facts about the training, stored with the model.
        served: Names of the outputs that are served.
        details: A model of the views with more outputs, if there is one.
        extras: What stands beside the manifest: from the name of a file to what writes
            it, called with its path.
        keras_file: Whether to write the model as `<name>.keras` besides, which holds
            all weights once more.

    Returns:
        The paths written: of the SavedModel, and of the `.keras` file if it was asked
        for. The SavedModel's `serving_default` takes `image_bytes`, string `[batch]`,
        the content of image files; its signature `pixels` takes `images`, uint8
        `[batch, height, width, 3]`. Both return the `served` outputs. The signature
        `details`, if there is one, takes `image_bytes` and returns all that `details`
        does.
    """
    folder = pathlib.Path(directory) / name
    version = max(version_numbers(folder), default=0) + 1
    # A server polls the folder: only a whole version may bear a number.
    temporary = files.temporary_folder(folder)
    _write_saved_model(temporary, views_model, resizes, served, details)
    write_description(model, temporary)
    if keras_file:
        model.save(temporary / f"{name}.keras")
    serving_files.write_warmup(temporary, name)
    for extra, write in (extras or {}).items():
        write(temporary / MANIFEST.with_name(extra))
    facts = {"task": name, **manifest, "versions": library_versions()}
    facts["files"] = {
        str(path.relative_to(temporary)): files.sha256(path)
        for path in sorted(temporary.rglob("*"))
        if path.is_file()
    }
    files.write_json(temporary / MANIFEST, facts)
    folder.mkdir(parents=True, exist_ok=True)
    saved_model = folder / str(version)
    os.replace(temporary, saved_model)
    serving_files.write_config(directory)
    return saved_model_paths(saved_model, name, keras_file)


def saved_model_paths(
    folder: pathlib.Path, name: str, keras_file: bool
) -> list[pathlib.Path]:
    """The paths that a version is used by: its folder, and its `.keras` file if any.

    Args:
        folder: Folder of the version.
        name: Name of the served model.
        keras_file: Whether it has such a file.
    """
    return [folder, folder / f"{name}.keras"] if keras_file else [folder]


def _write_saved_model(path, views_model, resizes, served, details):
    # Traced once for all signatures, which call it.
    @tf.function(
        input_signature=[
            [tf.TensorSpec((None, resize.size, resize.size, 3)) for resize in resizes]
        ],
        autograph=False,
    )
    def describe(views):
        outputs = views_model(views)
        return {key: outputs[key] for key in served}

    def from_pixels(images):
        images = tf.cast(images, tf.float32)
        return _any_batch(
            lambda images: describe([resize(images) for resize in resizes]), images
        )

    def from_bytes(image_bytes):
        return _any_batch(describe, _views(resizes, image_bytes))

    def details_from_bytes(image_bytes):
        return _any_batch(details, _views(resizes, image_bytes))

    encoded = tf.TensorSpec([None], tf.string, name="image_bytes")
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
    endpoints = {
        "serving_default": (from_bytes, encoded),
        "pixels": (from_pixels, pixels),
    }
    if details is not None:
        endpoints["details"] = (details_from_bytes, encoded)
    with gradients.left_out():
        signatures = {
            name: tf.function(
                function, input_signature=[spec], autograph=False
            ).get_concrete_function()
            for name, (function, spec) in endpoints.items()
        }
    # Not by Keras's ExportArchive: it writes each weight twice, once as Keras's
    # variable and once as TensorFlow's.
    exported = tf.Module()
    # First those of the model, in its order, so that it can be built from them again.
    weights = {v.ref(): v for v in weights_in_order(views_model)}
    weights |= {v.ref(): v for graph in signatures.values() for v in graph.variables}
    exported.weights = list(weights.values())
    # For inference: those who train on load the weights into a Keras model.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(exported, str(path), signatures, options)


def _regions(backbone, views):
    """The regions of all views side by side, float16 `[batch, R, channels]`."""
    regions = []
    for view in views:
        (maps,) = backbone(view).values()
        regions.append(
            keras.layers.Reshape((-1, maps.shape[-1]), dtype="float16")(maps)
        )
    if len(regions) == 1:
        return regions[0]
    return keras.layers.Concatenate(axis=1, dtype="float16")(regions)


def _views(resizes, image_bytes):
    """The resized views, float32 `[B, size, size, 3]` each, of encoded images."""

    def views(encoded):
        image = decode_image(encoded)
        return [resize(image) for resize in resizes]

    return tf.map_fn(
        views,
        image_bytes,
        fn_output_signature=[
            tf.TensorSpec((resize.size, resize.size, 3)) for resize in resizes
        ],
        parallel_iterations=2,  # each may have an image of `MAX_PIXELS` at hand
    )


def _any_batch(model, inputs):
    """The outputs of a model, also for a batch of no images.

    Convolutions refuse an empty batch: it gets one black image, dropped afterwards.
    """
    batch = tf.shape(tf.nest.flatten(inputs)[0])[0]
    missing = tf.cast(batch == 0, tf.int32)
    padding = [[0, missing], [0, 0], [0, 0], [0, 0]]
    padded = tf.nest.map_structure(lambda images: tf.pad(images, padding), inputs)
    return {key: value[:batch] for key, value in model(padded).items()}
