"""The private parts of Keras that this package reads, each behind a guard.

Keras may change them in any version. Whoever needs one takes it from here, so that a
Keras without it fails in one place, with an error that says what is missing.
"""

import typing

import keras


def flattened_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """A layer, the layers that it is made of, the layers of these, and so on.

    `keras.Model.layers` is public and holds only the first generation.

    Args:
        layer: The layer, or a model.

    Returns:
        All of them, `layer` first.

    Raises:
        RuntimeError: When this version of Keras has no such part.
    """
    return list(_private_part(layer, "_flatten_layers")())


def input_tensors(operation: keras.Operation) -> list[list[keras.KerasTensor]]:
    """The tensors that an operation of a functional model reads.

    Args:
        operation: One of `model.operations`.

    Returns:
        For each time that the operation is used, the tensors it is given.

    Raises:
        RuntimeError: When this version of Keras has no such part.
    """
    nodes = _private_part(operation, "_inbound_nodes")
    return [list(_private_part(node, "input_tensors")) for node in nodes]


def is_autocast(variable: keras.Variable) -> bool:
    """Whether layers read a variable in their compute dtype, not in its own.

    Args:
        variable: A weight of a layer.

    Returns:
        False for weights that were added with `autocast=False`.

    Raises:
        RuntimeError: When this version of Keras has no such part.
    """
    return bool(_private_part(variable, "_autocast"))


def _private_part(owner: object, name: str) -> typing.Any:
    if not hasattr(owner, name):
        raise RuntimeError(
            f"Keras {keras.__version__} has no {type(owner).__name__}.{name}, a "
            "private part that annotator needs. Install a version of Keras that it "
            "was tested with: its pyproject.toml says which."
        )
    return getattr(owner, name)
