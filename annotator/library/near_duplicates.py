"""Near duplicates: photographs whose vectors point almost the same way."""

import numpy as np
import scipy.sparse.csgraph

# Of whitened vectors the first dimensions vary most; the last are mostly noise, in
# which two files of one photograph differ.
_DIMENSIONS = 128
_BLOCK = 2048


def near_duplicates(vectors: np.ndarray, similarity: float = 0.9) -> list[np.ndarray]:
    """Groups rows that are near duplicates of each other, directly or by others.

    Args:
        vectors: Whitened vectors, float `[N, p]`.
        similarity: Least cosine of two near duplicates.

    Returns:
        Arrays of rows int `[2 or more]`, by their first row.
    """
    directions = np.asarray(vectors[:, :_DIMENSIONS], np.float32)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions / np.maximum(lengths, 1e-12)
    pairs = []
    for start in range(0, len(directions), _BLOCK):
        block = directions[start : start + _BLOCK]
        for other in range(start, len(directions), _BLOCK):
            near = block @ directions[other : other + _BLOCK].T >= similarity
            rows, columns = near.nonzero()
            pairs.append(np.stack([rows + start, columns + other]))
    if not pairs:
        return []
    rows, columns = np.concatenate(pairs, axis=1)
    graph = scipy.sparse.coo_array(
        (np.ones(len(rows), bool), (rows, columns)), (len(directions),) * 2
    )
    _, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    several = [group for group in groups if len(group) > 1]
    return sorted(several, key=lambda group: group[0])
