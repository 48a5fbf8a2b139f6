"""What a trained tagger hands on to those who teach it by single images."""

import numpy as np

from annotator.runs.run import Run
from annotator.tagger.teaching_basis import TeachingBasis


def teaching_basis(run: Run) -> TeachingBasis | None:
    """Fits what a run's tagger hands on; `None` where it has no vector an image.

    Args:
        run: The run, whose tagger is trained.
    """
    if not run.files.vectors.is_file():
        return None
    vectors = np.load(run.files.vectors, mmap_mode="r", allow_pickle=False)
    with np.load(run.files.tags, allow_pickle=False) as arrays:
        words, tags = arrays["words"].tolist(), arrays["tags"]
        whitening_rows = int(arrays["whitening_rows"])
        known = arrays["known"] if "known" in arrays else None
    return TeachingBasis.fit(
        words,
        vectors,
        tags,
        whitening_rows,
        run.config.shrinkage,
        run.config.margin,
        known=known,
    )
