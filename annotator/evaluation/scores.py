"""The scores of a run's models on a split, by task."""

import dataclasses
import re
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tqdm

from annotator import files
from annotator.evaluation import captioning
from annotator.evaluation.tables import caption_table, compared_note, tag_table
from annotator.metrics import captions as caption_metrics
from annotator.metrics import published
from annotator.metrics import tags as tag_metrics
from annotator.runs.heads import CAPTIONER, TAGGER, Task
from annotator.runs.run import Run
from annotator.runs.splits import Split
from annotator.tagger.top_tags import TopTags

_BOOTSTRAP_SAMPLES = 1000
_CAPTION_BATCH = 64


@dataclasses.dataclass(frozen=True)
class Scored:
    """What was measured of a model.

    Attributes:
        metrics: Scores, fractions and counts, JSON-ready.
        table: The same as text, in percent.
        lines: For each image of the split, in order, the line that a contact sheet
            shows of it.
    """

    metrics: dict
    table: str
    lines: Sequence


def predict_scores(tagger: keras.Model, split: Split, batch_size: int) -> np.ndarray:
    """Scores float32 `[N, W]` of the images of a split.

    Args:
        tagger: From regions to scores.
        split: The images.
        batch_size: Images computed together.
    """
    total = -(-len(split) // batch_size)
    batches = tqdm.tqdm(split.regions(batch_size), "tagging", total, unit="batch")
    return np.concatenate([tagger(regions).numpy() for regions in batches])


def score_tagger(run: Run, name: str, compare: bool) -> Scored:
    """Scores a run's tagger; writes a table of its words.

    Args:
        run: The run.
        name: Name of the split.
        compare: Whether the published rows join the table.

    Raises:
        ValueError: If the split has tags that the tagger does not know.
    """
    split, words = run.split(TAGGER, name), run.words()
    # An extended tagger knows more words than the data set, but none fewer.
    unknown = set(split.annotated.words) - set(words)
    if unknown:
        folder = run.files.folder
        raise ValueError(
            f"The tagger in {folder} was never told of the words {sorted(unknown)} "
            f"of {run.config.dataset} {name}. Teach it these with train.py "
            f"--task=tagger --extend={folder} and another --workdir, or take them out "
            "of the data."
        )
    top = TopTags(words, run.config.top_k, run.config.threshold)
    scores = predict_scores(run.tagger(), split, run.config.batch_size)
    predicted = top.predicted(scores).numpy()
    true = np.zeros_like(predicted)
    columns = [words.index(word) for word in split.annotated.words]
    true[:, columns] = split.annotated.tags
    table = tag_metrics.per_word_table(predicted, true, words)
    files.write_csv(
        run.files.word_scores(name), table[0], [row.values() for row in table]
    )
    metrics = tag_metrics.score_tags(predicted, true, words)
    rows = published.tagger_rows(run.config.dataset) if compare else []
    lines = [
        [(words[w], bool(row[w])) for w in np.flatnonzero(kept)]
        for kept, row in zip(predicted, true, strict=True)
    ]
    note = compared_note(compare, rows, name)
    return Scored(metrics, tag_table(metrics, rows) + note, lines)


def score_captioner(run: Run, name: str, compare: bool) -> Scored:
    """Scores a run's captioner; writes its captions.

    Args:
        run: The run.
        name: Name of the split.
        compare: Whether the published rows join the table.
    """
    split = run.split(CAPTIONER, name)
    caption = captioning.caption_function(run.captioner())
    captions = captioning.generate(caption, split.regions(_CAPTION_BATCH))
    files.write_json(
        run.files.captions(name),
        [
            {"image_id": image_id, "caption": caption}
            for image_id, caption in zip(
                coco_ids(split.annotated.image_ids), captions, strict=True
            )
        ],
    )
    metrics = caption_metrics.score_captions(
        captions, split.annotated.captions or (), bootstrap_samples=_BOOTSTRAP_SAMPLES
    )
    rows = published.captioner_rows(run.config.dataset) if compare else []
    note = compared_note(compare, rows, name)
    return Scored(metrics, caption_table(metrics, rows) + note, captions)


SCORES: dict[Task, Callable[[Run, str, bool], Scored]] = {
    TAGGER: score_tagger,
    CAPTIONER: score_captioner,
}


def coco_ids(image_ids: Sequence[str]) -> Sequence[str] | list[int]:
    """Numbers where all the ids are written so: COCO's tools look for numbers.

    Args:
        image_ids: The images' ids.
    """
    numbers = [int(i) for i in image_ids if re.fullmatch("0|[1-9][0-9]*", i)]
    return numbers if len(numbers) == len(image_ids) else image_ids
