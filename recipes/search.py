"""Searches n and m of the paper's tagger inside the training rows.

    python -m recipes.search --cache_dir=/features

The paper gives neither the dimensions n of PCA nor the number m of visual words. For
each pair a tagger of its form (VLAD as it is, mean vectors, L2, five words an image) is
fitted to the training images, and each of these is tagged by means that it is left out
of: `(n_w mean_w - x) / (n_w - 1)`. The pair with the best F1 is what the row
`tags_paper` has.
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence

import numpy as np

from recipes.rows import find

COMPONENTS = (32, 64, 128)
CODEBOOK = (16, 32, 64, 128)
WORDS = 5


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code.

    Args:
        argv: Its arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m recipes.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cache_dir", help="folder of feature caches")
    parser.add_argument("--components", type=_numbers, default=COMPONENTS, help="n")
    parser.add_argument("--codebook", type=_numbers, default=CODEBOOK, help="m")
    options = parser.parse_args(argv)
    from annotator.metrics.tags import score_tags

    regions, annotated = _training_regions(options.cache_dir)
    tags, words = np.asarray(annotated.tags), annotated.words
    best = (0.0, 0, 0)
    for n in options.components:
        for m in options.codebook:
            scores = left_out_scores(_vectors(regions, n, m), tags)
            f1 = score_tags(top_words(scores), tags, words)["f1"]
            print(f"n = {n:4}, m = {m:4}: F1 {100 * f1:.2f}", flush=True)
            best = max(best, (f1, n, m))
    print(f"best: --components={best[1]} --codebook={best[2]}")
    return 0


def left_out_scores(vectors: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Scores of training images by mean vectors that each is left out of.

    Args:
        vectors: A vector an image, float `[N, d]`.
        tags: Whether an image carries a word, bool `[N, W]`.

    Returns:
        Negative squared L2 distances, float64 `[N, W]`. For a word of one image it is
        minus infinity there: without this image there is no mean.
    """
    vectors = np.asarray(vectors, np.float64)
    counts = tags.sum(axis=0)
    means = (tags.T.astype(np.float64) @ vectors) / np.maximum(counts, 1)[:, None]
    squares = np.square(vectors).sum(axis=1)
    distances = squares[:, None] - 2 * vectors @ means.T + np.square(means).sum(axis=1)
    # x - (n mean - x) / (n - 1) = n / (n - 1) (x - mean)
    farther = np.square(counts / np.maximum(counts - 1, 1)) * distances
    return -np.where(tags, np.where(counts > 1, farther, np.inf), distances)


def top_words(scores: np.ndarray, words: int = WORDS) -> np.ndarray:
    """The best words of each image, bool `[N, W]`.

    Args:
        scores: Float `[N, W]`.
        words: How many an image gets.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :words]
    chosen = np.zeros(scores.shape, bool)
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen


def _training_regions(cache_dir):
    """float16 `[N, R, D]` of the training images, and their annotations."""
    import tempfile

    from annotator.config import Config
    from annotator.runs.heads import TAGGER
    from annotator.runs.run import Run
    from recipes.measured import settings_of

    ((table, row),) = find(["tags_paper_64"])
    config = Config(task="tagger", **settings_of(table, row))
    config = dataclasses.replace(config, cache_dir=cache_dir)
    with tempfile.TemporaryDirectory() as folder:
        split = Run(config, folder).split(TAGGER, "train")
    return list(split.regions(32).as_numpy_iterator()), split.annotated


def _vectors(batches: Sequence[np.ndarray], n: int, m: int) -> np.ndarray:
    """The vectors of the images, float32 `[N, n * m]`."""
    from annotator.tagger.pooling import encoder, vlad

    images = sum(map(len, batches))
    sample = encoder.sample_descriptors(batches, images, encoder.DESCRIPTOR_SAMPLE)
    fitted = encoder.fit_encoder(sample, n, m)
    pooling = vlad.VLAD.from_codebook(fitted["codebook"], ())
    model = encoder.build_encoder(fitted["kernel"], fitted["bias"], pooling)
    return np.concatenate([model(batch).numpy() for batch in batches])


def _numbers(text):
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
