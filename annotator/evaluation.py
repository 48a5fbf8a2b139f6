"""What `evaluate.py` does: score a run on a split, and write down what was measured."""

import pathlib

import keras
import numpy as np
import tqdm

from annotator import files, pipeline, published
from annotator.config import Config
from annotator.metrics import tags as tag_metrics
from annotator.tagger.top_tags import TopTags


def evaluate(workdir, split="validation", compare=False):
    """Scores the models of a run on one split.

    Writes `metrics/<split>.json` (fractions) and, for tags, `<split>_words.csv`.

    Args:
        workdir: Folder of a run.
        split: A split of the run's data set.
        compare: Adds the published rows for the data set to the table.

    Returns:
        `(metrics, table)`: the content of the JSON file, and a text in percent.

    Raises:
        FileNotFoundError: If the run has no trained model.
    """
    workdir = pathlib.Path(workdir)
    config = Config.load(workdir)
    metrics, tables = {}, []
    if (workdir / "tagger" / "tagger.keras").is_file():
        scores = _evaluate_tagger(config, workdir, split)
        metrics.update(scores)
        rows = published.tagger_rows(config.dataset) if compare else []
        tables.append(_tag_table(f"{config.dataset} {split}", scores, rows))
    if not metrics:
        raise FileNotFoundError(f"{workdir} holds no trained model yet.")
    files.write_json(workdir / "metrics" / f"{split}.json", metrics)
    return metrics, "\n\n".join(tables)


def predict_scores(tagger, split, batch_size):
    """Scores float32 `[N, W]` of the images of a `pipeline.Split`."""
    total = -(-len(split) // batch_size)
    batches = tqdm.tqdm(split.regions(batch_size), "tagging", total, unit="batch")
    return np.concatenate([tagger(regions).numpy() for regions in batches])


def _evaluate_tagger(config, workdir, name):
    tagger = keras.saving.load_model(workdir / "tagger" / "tagger.keras")
    words = files.read_json(workdir / "tagger" / "words.json")
    backbone = pipeline.build_backbone(config, config.tap)
    split = pipeline.load_split(config, name, backbone, workdir)
    scores = predict_scores(tagger, split, config.batch_size)
    top = TopTags(words, config.top_k, config.threshold)
    predicted = top.predicted(scores).numpy()
    # An extended tagger knows more words than the data set.
    unknown = set(split.annotated.words) - set(words)
    if unknown:
        raise ValueError(f"The tagger was never told of the words {sorted(unknown)}.")
    true = np.zeros_like(predicted)
    columns = [words.index(word) for word in split.annotated.words]
    true[:, columns] = split.annotated.tags
    table = tag_metrics.per_word_table(predicted, true, words)
    pipeline.write_csv(
        workdir / "metrics" / f"{name}_words.csv",
        table[0].keys(),
        [row.values() for row in table],
    )
    return tag_metrics.score_tags(predicted, true, words)


def _tag_table(title, scores, rows):
    """A table in percent; counts stay counts."""
    lines = [
        f"{title}: {scores['images']} images, {scores['words']} words",
        f"{'':36}{'precision':>10}{'recall':>8}{'F1':>8}{'N+':>6}",
    ]
    ours = {k: 100 * scores[k] for k in ("precision", "recall", "f1")}
    rows = [*rows, ("this run", {**ours, "n_plus": scores["n_plus"]})]
    lines += [
        f"{name:36}{row['precision']:10.2f}{row['recall']:8.2f}{row['f1']:8.2f}"
        f"{row['n_plus']:6.0f}"
        for name, row in rows
    ]
    lines.append(
        f"per image: precision {100 * scores['image_precision']:.2f}, "
        f"recall {100 * scores['image_recall']:.2f}"
    )
    return "\n".join(lines)
