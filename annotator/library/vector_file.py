"""The vectors of a library's photographs: half precision, in a memory map."""

import os
import pathlib

import numpy as np

_GROWTH = 1024  # rows


class VectorFile:
    """A file with a vector in each row, which is read as a memory map.

    Args:
        path: The file; it is made with the first vector.
        dimensions: Length p of a vector.
    """

    def __init__(self, path: str | os.PathLike, dimensions: int) -> None:
        self.path = pathlib.Path(path)
        self.dimensions = dimensions
        self._row_bytes = 2 * dimensions

    def write(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Writes vectors; they are on the disk when this returns.

        Args:
            rows: int `[B]`, each at least 0.
            vectors: float16 `[B, p]`.

        Raises:
            ValueError: When the vectors are of another type or shape.
        """
        vectors = np.ascontiguousarray(vectors)
        if vectors.dtype != np.float16 or vectors.shape != (len(rows), self.dimensions):
            raise ValueError(
                f"Expected float16 {[len(rows), self.dimensions]}, got "
                f"{vectors.dtype} {list(vectors.shape)}."
            )
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            needed = int(max(rows, default=-1)) + 1
            if needed * self._row_bytes > os.fstat(file).st_size:
                size = -(-needed // _GROWTH) * _GROWTH * self._row_bytes
                os.truncate(file, size)  # sparse, zeros
            for row, vector in zip(rows, vectors, strict=True):
                os.pwrite(file, vector.tobytes(), int(row) * self._row_bytes)
            os.fsync(file)
        finally:
            os.close(file)

    def read(self) -> np.ndarray:
        """All rows there are room for, float16 `[rows, p]`, a memory map."""
        if not self.path.is_file() or not self.path.stat().st_size:
            return np.zeros((0, self.dimensions), np.float16)
        rows = self.path.stat().st_size // self._row_bytes
        return np.memmap(self.path, np.float16, "r", shape=(rows, self.dimensions))
