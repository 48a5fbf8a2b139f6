"""Arrays and models from files that may be anybody's: numbers and layers, no code.

Nothing is unpickled, no link inside a file is followed, and no layer is made that runs
code of the file's own. What is refused is refused with the name of the file.
"""

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np

if TYPE_CHECKING:
    import keras

# What is in a `.keras` archive; files beside it would be those of layers with assets.
_MEMBERS = {f"{name}.json" for name in ("config", "metadata")} | {"model.weights.h5"}
_DAMAGES = (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
# What Keras makes of archives and of configurations that are damaged or refused.
_REFUSALS = (*_DAMAGES, AttributeError, TypeError, OSError, RuntimeError)


def array(
    path: str | os.PathLike[str], mmap_mode: Literal["r"] | None = None
) -> np.ndarray:
    """Reads a `.npy` file of numbers or text.

    Args:
        path: The file.
        mmap_mode: `"r"` to map it into memory.

    Returns:
        The array.

    Raises:
        ValueError: When the file is damaged or holds objects; the message names it.
    """
    try:
        loaded = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except _DAMAGES as error:
        raise _refusal(path, error) from error
    if not isinstance(loaded, np.ndarray):
        loaded.close()
        raise _refusal(path, "it is an archive, not an array")
    return loaded


def arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads a `.npz` file of numbers or text.

    Args:
        path: The file.

    Returns:
        Dict from name to array.

    Raises:
        ValueError: When the file is damaged or holds objects; the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = dict(archive)
    except (*_DAMAGES, TypeError, AttributeError) as error:  # the last: a `.npy` file
        raise _refusal(path, error) from error
    for name, value in found.items():
        if not isinstance(value, np.ndarray):
            raise _refusal(path, f"{name!r} in it is no array")
    return found


def model(path: str | os.PathLike[str], **options: Any) -> "keras.Model":
    """Loads a `.keras` file.

    Args:
        path: The file.
        **options: As in `keras.saving.load_model`.

    Returns:
        The model.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is damaged, or holds code, links or other files; the
            message names it.
    """
    import keras

    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no model file {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if others := sorted({*names} - _MEMBERS):
                raise ValueError(f"it holds {others[0]!r}, which is no part of a model")
            if len(names) > len(_MEMBERS):
                raise ValueError("it holds a file twice")
        return keras.saving.load_model(path, safe_mode=True, **options)
    except _REFUSALS as error:
        raise _refusal(path, error) from error


def described_model(path: str | os.PathLike[str]) -> "keras.Model":
    """Builds a Keras model that a JSON file describes, without its weights.

    Args:
        path: The file, what `keras.saving.serialize_keras_object` made of the model.

    Returns:
        The model, built.

    Raises:
        ValueError: When the file is damaged, or describes code or no model; the message
            names it.
    """
    import keras

    try:
        with open(path, encoding="utf-8") as file:
            described = keras.saving.deserialize_keras_object(
                json.load(file), safe_mode=True
            )
    except _REFUSALS as error:
        raise _refusal(path, error) from error
    if not isinstance(described, keras.Model):
        raise _refusal(path, "it describes no model")
    return described


@contextlib.contextmanager
def hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Opens an HDF5 file of numbers, after all that is in it was looked at.

    Args:
        path: The file.

    Yields:
        The file, to be read.

    Raises:
        OSError: When it is no HDF5 file.
        ValueError: When a name in it leads to another place or file, or what it holds
            are no numbers; the message names file and place.
    """
    with h5py.File(path, "r") as file:
        _check_group(path, file, "", {h5py.h5o.get_info(file.id).addr})
        yield file


def _check_group(path, group, above, seen):
    for name in group:
        place = f"{above}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _refusal(path, f"{place} is a link to another place or file")
        entry = group[name]
        address = h5py.h5o.get_info(entry.id).addr
        if address in seen:  # a circle would have no end
            raise _refusal(path, f"{place} is there twice")
        seen.add(address)
        if isinstance(entry, h5py.Group):
            _check_group(path, entry, place, seen)
        elif not isinstance(entry, h5py.Dataset) or entry.dtype.kind not in "biuf":
            raise _refusal(path, f"{place} holds other than numbers")
        elif entry.external or entry.is_virtual:
            raise _refusal(path, f"{place} reads another file")


def _refusal(path, reason):
    first = str(reason).strip().partition("\n")[0] or type(reason).__name__
    return ValueError(f"{path} cannot be read: {first.rstrip('.')}.")
