"""Feature caches of several splits, read as one."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from annotator.features.cache import FeatureCache, flattened


@dataclasses.dataclass(frozen=True)
class JoinedCache:
    """The maps of several splits, one split after the other.

    Each split keeps the cache that it has alone: joined, none is computed again.

    Args:
        caches: A cache a split, one at least.

    Attributes:
        shape: Shape of one image's map, `(h, w, channels)`.
        bad: Row -> reason, for images that could not be read; their maps are zero.
    """

    caches: tuple[FeatureCache, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.caches[0].shape

    @property
    def bad(self) -> dict[int, str]:
        return {
            int(first) + row: reason
            for first, cache in zip(self._firsts, self.caches, strict=True)
            for row, reason in cache.bad.items()
        }

    @property
    def _firsts(self) -> np.ndarray:
        """The first row of each split."""
        return np.cumsum([0, *map(len, self.caches)])[:-1]

    def __len__(self) -> int:
        return sum(map(len, self.caches))

    def gather(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Reads maps, as `FeatureCache.gather` does.

        Args:
            rows: Rows of images, int `[N]`.

        Returns:
            float16 `[N, h, w, channels]`, in the order of `rows`.
        """
        rows = np.asarray(rows)
        maps = np.empty((len(rows), *self.shape), np.float16)
        part_of = np.searchsorted(self._firsts, rows, side="right") - 1
        for part in np.unique(part_of):
            here = part_of == part
            maps[here] = self.caches[part].gather(rows[here] - self._firsts[part])
        return maps

    def regions(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Reads maps, their grids flattened, as `FeatureCache.regions` does.

        Args:
            rows: Rows of images, int `[N]`.

        Returns:
            float16 `[N, h * w, channels]`, in the order of `rows`.
        """
        return flattened(self.gather(rows))
