"""The Keras model of an export, built from a description and the SavedModel's weights.

Beside the SavedModel stands how the model is built, a few kilobytes of JSON; the
weights are in the SavedModel's checkpoint, in the order of the model's own.
"""

import os
import pathlib
from typing import Any

import keras
import tensorflow as tf

from annotator import files, loading
from annotator.export.versions import DESCRIPTION, MANIFEST, resolve

_CHECKPOINT = pathlib.PurePath("variables", "variables")
# What TensorFlow's reader makes of what is missing, cut off or of another shape.
_DAMAGES = (ValueError, IndexError, RuntimeError, tf.errors.OpError)


def keras_model(folder: str | os.PathLike) -> keras.Model:
    """Loads the model of an export for scripts, with its weights.

    Example:
        ```python
        import annotator.layers  # what exports are made of
        from annotator.export.keras_model import keras_model

        model = keras_model("runs/shapes/export/tagger")
        model.predict(images)["tags"]  # images: [batch, height, width, 3], RGB
        ```

    Args:
        folder: Folder of a version, or of all of a model's; of those the newest counts.
            The files are taken as they are: `annotator.export.versions.verify` checks
            them.

    Returns:
        The model of images.

    Raises:
        FileNotFoundError: When there is no export.
        ValueError: When it is damaged, or its layers are not imported.
    """
    folder = resolve(folder)
    path = folder / DESCRIPTION
    if not path.is_file():  # of an earlier version of this package
        task = files.read_json(folder / MANIFEST)["task"]
        return loading.model(folder / f"{task}.keras", compile=False)
    model = loading.described_model(path)
    _read_weights(model, folder)
    return model


def write_description(model: keras.Model, folder: pathlib.Path) -> None:
    """Writes how a model is built.

    Args:
        model: The model.
        folder: Folder of the version.
    """
    path = folder / DESCRIPTION
    path.parent.mkdir(exist_ok=True)
    files.write_json(path, keras.saving.serialize_keras_object(model))


def weights_in_order(model: keras.Model) -> list[Any]:
    """A model's weights, each once, in the order in which a checkpoint has them.

    Args:
        model: The model.

    Returns:
        List of `tf.Variable`.
    """
    return list({id(weight): weight.value for weight in model.weights}.values())


def _read_weights(model, folder):
    path = folder / _CHECKPOINT
    try:
        stored = tf.train.load_checkpoint(str(path))
        for number, variable in enumerate(weights_in_order(model)):
            name = f"weights/{number}/.ATTRIBUTES/VARIABLE_VALUE"
            variable.assign(stored.get_tensor(name))
    except _DAMAGES as error:
        raise ValueError(
            f"{path} holds other weights than {DESCRIPTION} beside it describes, or is "
            f"damaged: copy or export the model again. ({error})"
        ) from error
