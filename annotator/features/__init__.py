"""Feature maps on disk."""

from annotator.features.cache import (
    CorruptCacheError,
    FeatureCache,
    regions_dataset,
    write_cache,
)
from annotator.features.extraction import BadImageError, extract
from annotator.features.shards import SHARD_ROWS

__all__ = [
    "SHARD_ROWS",
    "BadImageError",
    "CorruptCacheError",
    "FeatureCache",
    "extract",
    "regions_dataset",
    "write_cache",
]
