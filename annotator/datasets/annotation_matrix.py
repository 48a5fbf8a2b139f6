"""Matrices of images x words, as tag data sets are published with."""

import os
import zlib

import numpy as np
import scipy.io
import scipy.sparse

from annotator.datasets.text_files import numbered_lines

# What SciPy makes of files that are cut off, or not MATLAB's.
_DAMAGES = (
    ValueError,
    TypeError,
    OSError,
    IndexError,
    EOFError,
    zlib.error,
    scipy.io.matlab.MatReadError,
)

EXTENSIONS = (".mat", ".hvecs", ".hvecs32", ".txt")


def read_annotation_matrix(path: str) -> np.ndarray:
    """Reads a 0/1 matrix with a row an image and a column a word.

    The formats:

    - `.mat`: MATLAB file, up to version 7; the one matrix in it, dense or sparse
      (`annot1` in Corel5k's).
    - `.hvecs`: the vector files of Guillaumin et al. (TagProp, ICCV 2009). Each row
      is its length, then its values, all little-endian *uint16*. (Unlike in the
      `.fvecs` and `.ivecs` of the same institute, the length is 16 bits too.)
      `.hvecs32` is the same in uint32.
    - `.txt`: a line a row, 0 or 1, separated by spaces, tabs or commas.

    Args:
        path: The file; its extension tells the format.

    Returns:
        bool `[images, words]`.

    Raises:
        ValueError: When the file is not of that form; names the file, the row and the
            value.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension == ".mat":
        matrix = _read_mat(path)
    elif extension in (".hvecs", ".hvecs32"):
        matrix = _read_hvecs(path, "<u4" if extension == ".hvecs32" else "<u2")
    elif extension == ".txt":
        matrix = _read_text(path)
    else:
        raise ValueError(
            f"{path}: unknown matrix format {extension!r}; known: "
            f"{', '.join(EXTENSIONS)}."
        )
    bad = np.argwhere((matrix != 0) & (matrix != 1))
    if bad.size:
        row, column = bad[0]
        raise ValueError(
            f"{path}: row {row + 1}, column {column + 1} is {matrix[row, column]}; an "
            "annotation matrix holds 0 (word absent) and 1 (word present)."
        )
    return matrix.astype(bool)


def _read_mat(path):
    with open(path, "rb"):  # what goes wrong from here on is the content's fault
        pass
    try:
        variables = scipy.io.loadmat(path)
    except NotImplementedError as error:
        raise ValueError(
            f"{path} is a MATLAB 7.3 file, which SciPy does not read; save it again "
            "in MATLAB with the option '-v7', or as text."
        ) from error
    except _DAMAGES as error:
        raise ValueError(f"{path} cannot be read as a MATLAB file: {error}.") from error
    matrices = {
        name: value
        for name, value in variables.items()
        if not name.startswith("__")
        and value.ndim == 2
        and value.dtype.kind in "biuf"
        and min(value.shape) > 1
    }
    if len(matrices) != 1:
        raise ValueError(
            f"{path} must hold one numeric matrix; it holds "
            f"{', '.join(sorted(matrices)) or 'none'}."
        )
    (matrix,) = matrices.values()
    return matrix.toarray() if scipy.sparse.issparse(matrix) else matrix


def _read_hvecs(path, dtype):
    with open(path, "rb") as file:
        content = file.read()
    width = np.dtype(dtype).itemsize
    if len(content) < width or len(content) % width:
        raise ValueError(
            f"{path}: {len(content)} bytes are no whole number of {width}-byte values; "
            "the file is truncated or of another format."
        )
    values = np.frombuffer(content, dtype)
    length = int(values[0])
    if length == 0 or values.size % (length + 1):
        raise ValueError(
            f"{path}: the first row says it has {length} values, and {values.size} "
            f"values do not make whole rows of 1 + {length}; the file is truncated or "
            "of another format."
        )
    rows = values.reshape(-1, length + 1)
    bad = np.flatnonzero(rows[:, 0] != length)
    if bad.size:
        raise ValueError(
            f"{path}: row {bad[0] + 1} says it has {rows[bad[0], 0]} values, the rows "
            f"before it {length}; the file is damaged or of another format."
        )
    return rows[:, 1:]


def _read_text(path):
    rows: list[list[bool]] = []
    for where, line in numbered_lines(path):
        fields = line.replace(",", " ").split()
        for column, field in enumerate(fields, start=1):
            if field not in ("0", "1"):
                raise ValueError(f"{where}, column {column}: {field!r} is not 0 or 1.")
        if rows and len(fields) != len(rows[0]):
            raise ValueError(
                f"{where} has {len(fields)} values, the lines before it {len(rows[0])}."
            )
        rows.append([field == "1" for field in fields])
    if not rows:
        raise ValueError(f"{path} is empty; it needs a line of 0 and 1 an image.")
    return np.array(rows)
