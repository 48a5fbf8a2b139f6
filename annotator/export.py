"""Models that leave the project: SavedModels for serving, `.keras` for scripts.

An export holds everything: pixels are decoded, resized, normalised and described in
one graph, so it needs neither this package nor the data it was trained on.
"""

import importlib.metadata
import os
import pathlib

import keras
import tensorflow as tf

from annotator import files, images

_LIBRARIES = ("annotator", "tensorflow", "keras", "numpy", "scikit-learn")


def image_model(backbone, resizes, head, name):
    """Joins backbone and head to one model on images.

    Args:
        backbone: Model from `annotator.backbone.build_backbone` with one tap.
        resizes: `annotator.images.Resize` layers, the views of an image; their regions
            stand side by side.
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
    outputs = _describe(backbone, views, head)
    views_model = keras.Model(views, outputs, name=f"{name}_of_views")
    pixels = keras.Input((None, None, 3), name="images")
    outputs = views_model([resize(pixels) for resize in resizes])
    return keras.Model(pixels, outputs, name=name), views_model


def save(directory, name, model, views_model, resizes, manifest):
    """Writes the next version of a SavedModel, and the `.keras` model beside it.

    Args:
        directory: The workdir's `export` folder.
        name: Name of the served model; versions 1, 2, ... are folders below it.
        model, views_model: From `image_model`.
        resizes: The views.
        manifest: JSON-ready facts about the training, stored with the model.

    Returns:
        `(saved_model, keras_file)`, the paths written. The SavedModel's
        `serving_default` takes `image_bytes`, string `[batch]`, the content of image
        files; its signature `pixels` takes `images`, uint8 `[batch, height, width, 3]`.
    """
    folder = pathlib.Path(directory) / name
    version = max(_versions(folder), default=0) + 1
    archive = keras.export.ExportArchive()
    archive.track(model)

    def from_bytes(image_bytes):
        def views(encoded):
            image = images.decode_image(encoded)
            return [resize(image) for resize in resizes]

        return views_model(
            tf.map_fn(
                views,
                image_bytes,
                fn_output_signature=[
                    tf.TensorSpec((resize.size, resize.size, 3)) for resize in resizes
                ],
            )
        )

    def from_pixels(images):
        return model(tf.cast(images, tf.float32))

    archive.add_endpoint(
        "serving_default",
        from_bytes,
        [tf.TensorSpec([None], tf.string, name="image_bytes")],
    )
    archive.add_endpoint(
        "pixels",
        from_pixels,
        [tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")],
    )
    # A server polls the folder: only a whole version may bear a number.
    temporary = folder.parent / f".{os.getpid()}.{name}"
    archive.write_out(str(temporary), verbose=False)
    facts = {**manifest, "versions": library_versions()}
    extra = temporary / "assets.extra"
    files.write_json(extra / "annotator.json", facts)
    folder.mkdir(parents=True, exist_ok=True)
    saved_model = folder / str(version)
    os.replace(temporary, saved_model)
    keras_file = folder.parent / f"{name}.keras"
    with files.atomic_path(keras_file) as partial:
        model.save(partial)
    return saved_model, keras_file


def latest(directory, name):
    """`(saved_model, keras_file, manifest)` of the newest version, or `None`."""
    folder = pathlib.Path(directory) / name
    keras_file = folder.parent / f"{name}.keras"
    version = max(_versions(folder), default=None)
    if version is None or not keras_file.is_file():
        return None
    saved_model = folder / str(version)
    manifest = saved_model / "assets.extra" / "annotator.json"
    return saved_model, keras_file, files.read_json(manifest)


def library_versions():
    """Versions of the libraries that made a model, by name."""
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def _describe(backbone, views, head):
    regions = []
    for view in views:
        (maps,) = backbone(view).values()
        regions.append(
            keras.layers.Reshape((-1, maps.shape[-1]), dtype="float16")(maps)
        )
    if len(regions) > 1:
        regions = [keras.layers.Concatenate(axis=1, dtype="float16")(regions)]
    return head(regions[0])


def _versions(folder):
    if not folder.is_dir():
        return []
    return [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]
