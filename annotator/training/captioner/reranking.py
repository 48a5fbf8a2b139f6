"""The re-ranker of a run's captioner: fitted to the captions that it learned from."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from annotator import files
from annotator.captioner import Vocabulary, fit_reranker
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.terminal.progress import FITTING, track
from annotator.training.captioner.batches import encode_references

# What the stage is called beside its kind, `FITTING`.
RERANKER = "the re-ranking of captions"
_BATCH = 64


def fit_run_reranker(run: Run) -> None:
    """Fits the re-ranker of a run, unless it is there.

    It needs the vocabulary of the captioner and the regions that it reads, not its
    weights; those of a backbone that was trained with it are made once more.

    Args:
        run: The run, whose captioner is trained.
    """
    path = run.files.reranker
    if path.is_file():
        return
    train = run.split(CAPTIONER, run.config.train_split)
    vocabulary = Vocabulary.load(run.files.vocabulary)
    tokens = encode_references(
        vocabulary, train.annotated.captions or (), run.config.max_length
    )
    regions = train.regions(_BATCH)
    running = run.progress.stage(FITTING, RERANKER, -(-len(train) // _BATCH), "batch")
    reranker = fit_reranker(vocabulary, _batches(track(regions, running), tokens))
    with files.atomic_path(path) as temporary:
        np.savez(
            temporary, vocabulary_size=reranker.vocabulary_size, **reranker.arrays()
        )


def _batches(
    regions: Iterator[tf.Tensor], tokens: np.ndarray
) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
    row = 0
    for batch in regions:
        yield batch, tokens[row : row + len(batch)]
        row += len(batch)
