"""Models that leave the project: SavedModels for serving, `.keras` for scripts.

An export holds everything: pixels are decoded, resized, normalized and described in
one graph, so it needs neither this package nor the data it was trained on.
"""

import importlib.metadata
import os
import pathlib

import keras
import tensorflow as tf

from annotator import files
from annotator.export import serving_files
from annotator.images import decode as images

_MANIFEST = pathlib.PurePath("assets.extra", "annotator.json")
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


def save(directory, name, model, views_model, resizes, manifest, served, details=None):
    """Writes the next version of a model: `directory/name/<version>/`.

    The folder appears at once, whole, and needs nothing outside itself: the SavedModel,
    the same model as `<name>.keras`, a request that warms up TensorFlow Serving, and
    `assets.extra/annotator.json`, the manifest with the SHA-256 of every file. In
    `directory` stands what TensorFlow Serving is told of all models.

    Args:
        directory: The workdir's `export` folder.
        name: Name of the served model; versions 1, 2, ... are folders below it.
        model, views_model: From `image_model`.
        resizes: The views.
        manifest: JSON-ready facts about the training, stored with the model.
        served: Names of the outputs that are served.
        details: A model of the views with more outputs, or `None`.

    Returns:
        `(saved_model, keras_file)`, the paths written. The SavedModel's
        `serving_default` takes `image_bytes`, string `[batch]`, the content of image
        files; its signature `pixels` takes `images`, uint8 `[batch, height, width, 3]`.
        Both return the `served` outputs. The signature `details`, if there is one,
        takes `image_bytes` and returns all that `details` does.
    """
    folder = pathlib.Path(directory) / name
    version = max(_versions(folder), default=0) + 1
    archive = keras.export.ExportArchive()
    archive.track(model)

    def from_pixels(images):
        outputs = _any_batch(model, tf.cast(images, tf.float32))
        return {key: outputs[key] for key in served}

    def from_bytes(image_bytes):
        outputs = _any_batch(views_model, _views(resizes, image_bytes))
        return {key: outputs[key] for key in served}

    encoded = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    pixels = [tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")]
    archive.add_endpoint("serving_default", from_bytes, encoded)
    archive.add_endpoint("pixels", from_pixels, pixels)
    if details is not None:
        archive.track(details)

        def details_from_bytes(image_bytes):
            return _any_batch(details, _views(resizes, image_bytes))

        archive.add_endpoint("details", details_from_bytes, encoded)
    # A server polls the folder: only a whole version may bear a number.
    temporary = files.temporary_path(folder)
    archive.write_out(str(temporary), verbose=False)
    model.save(temporary / f"{name}.keras")
    serving_files.write_warmup(temporary, name)
    facts = {"task": name, **manifest, "versions": library_versions()}
    facts["files"] = {
        str(path.relative_to(temporary)): files.sha256(path)
        for path in sorted(temporary.rglob("*"))
        if path.is_file()
    }
    files.write_json(temporary / _MANIFEST, facts)
    folder.mkdir(parents=True, exist_ok=True)
    saved_model = folder / str(version)
    os.replace(temporary, saved_model)
    serving_files.write_config(directory)
    return saved_model, saved_model / f"{name}.keras"


def latest(directory, name):
    """`(saved_model, keras_file, manifest)` of the newest version, or `None`."""
    folder = pathlib.Path(directory) / name
    version = max(_versions(folder), default=None)
    if version is None:
        return None
    saved_model = folder / str(version)
    manifest = files.read_json(saved_model / _MANIFEST)
    return saved_model, saved_model / f"{name}.keras", manifest


def resolve(path):
    """The folder of a version, given it or the folder of all versions of a model.

    Raises:
        FileNotFoundError: If `path` is neither.
    """
    path = pathlib.Path(path)
    if (path / _MANIFEST).is_file():
        return path
    newest = max(_versions(path), default=None)
    if newest is None or not (path / str(newest) / _MANIFEST).is_file():
        raise FileNotFoundError(
            f"{path} is no exported model: it holds neither {_MANIFEST} nor a numbered "
            "folder that does. Name a folder such as WORKDIR/export/tagger."
        )
    return path / str(newest)


def verify(version_folder):
    """Checks every file of a version against the manifest; returns the manifest.

    Raises:
        ValueError: If a file is missing or altered; the message names it.
    """
    folder = pathlib.Path(version_folder)
    manifest = files.read_json(folder / _MANIFEST)
    listed = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(listed, dict) or "saved_model.pb" not in listed:
        raise ValueError(
            f"{folder / _MANIFEST} lists no SavedModel: it was altered, or another "
            "version of annotator wrote it. Export the model again."
        )
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{path} is missing: copy or export the model again.")
        if files.sha256(path) != digest:
            raise ValueError(
                f"{path} is not the file that was exported (another SHA-256): copy or "
                "export the model again."
            )
    return manifest


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


def _views(resizes, image_bytes):
    """The resized views, float32 `[B, size, size, 3]` each, of encoded images."""

    def views(encoded):
        image = images.decode_image(encoded)
        return [resize(image) for resize in resizes]

    return tf.map_fn(
        views,
        image_bytes,
        fn_output_signature=[
            tf.TensorSpec((resize.size, resize.size, 3)) for resize in resizes
        ],
        parallel_iterations=2,  # each may have an image of `images.MAX_PIXELS` at hand
    )


def _any_batch(model, inputs):
    """The outputs of a model, also for a batch of no images.

    Convolutions refuse an empty batch: it gets one black image, dropped afterwards.
    """
    batch = tf.shape(tf.nest.flatten(inputs)[0])[0]
    missing = tf.cast(batch == 0, tf.int32)
    outputs = model(
        tf.nest.map_structure(
            lambda x: tf.pad(x, [[0, missing]] + [[0, 0]] * 3), inputs
        )
    )
    return {key: value[:batch] for key, value in outputs.items()}


def _versions(folder):
    if not folder.is_dir():
        return []
    return [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]
