"""What `evaluate.py` does: score a run on a split, and write down what was measured."""

import dataclasses
import os
import pathlib
import re

import keras
import numpy as np
import tqdm

import annotator.layers  # noqa: F401  (what .keras files are made of)
from annotator import files
from annotator.evaluation import captioning
from annotator.metrics import captions as caption_metrics
from annotator.metrics import published
from annotator.metrics import tags as tag_metrics
from annotator.pictures import contact_sheet as pictures
from annotator.runs import run as pipeline
from annotator.runs import settings_file
from annotator.tagger.top_tags import TopTags
from annotator.training.captioner.fit import load_captioner

_BOOTSTRAP_SAMPLES = 1000
_CAPTION_SCORES = {
    **{f"bleu_{n}": f"BLEU-{n}" for n in range(1, 5)},
    **{"meteor": "METEOR", "cider": "CIDEr", "rouge_l": "ROUGE-L"},
}


def evaluate(
    workdir,
    split="validation",
    compare=False,
    shown=0,
    attention=0,
    task="all",
    **places,
):
    """Scores the models of a run on one split.

    Writes `metrics/<split>.json` (fractions); for tags `<split>_words.csv`, a row a
    word; for captions `<split>_captions.json`, in COCO's result format (where ids are
    numbers, as COCO's are; others stay text).

    Args:
        workdir: Folder of a run.
        split: A split of the run's data set.
        compare: Adds the published rows for the data set to the tables.
        shown: Number of images, spread over the split, to show with what was said of
            them in `pictures/<split>.png`.
        attention: Number of images, spread over the split, to draw with where the
            captioner looked in `pictures/<split>_attention/`, a PNG file each.
        task: `"tagger"` or `"captioner"` to score one of two models.
        **places: `data_dir`, `cache_dir` or `skip_bad_images`, if they shall be others
            than in training; `None` for those.

    Returns:
        `(metrics, table)`: the content of the JSON file, and a text in percent.

    Raises:
        FileNotFoundError: If the run has no trained model.
        ValueError: If attention is asked for where there is none, the split has no tags
            or captions to compare with, or it has tags that the tagger does not know.
    """
    workdir = pathlib.Path(workdir).expanduser()
    for name in ("data_dir", "cache_dir"):
        places[name] = files.absolute(places.get(name))
    config = dataclasses.replace(
        settings_file.load(workdir),
        **{k: v for k, v in places.items() if v is not None},
    )
    trained = {
        name: score
        for name, score in _SCORES.items()
        if task in (name, "all") and (workdir / name / f"{name}.keras").is_file()
    }
    if not trained:
        model = "model" if task == "all" else task
        raise FileNotFoundError(f"{workdir} holds no trained {model} yet.")
    if attention and not (
        "captioner" in trained
        and load_captioner(config, workdir).decoder.attending_layers
    ):
        raise ValueError(
            f"{workdir} holds no captioner whose attention could be drawn."
        )
    metrics, tables, said = {}, [], {}
    for name, score in trained.items():
        data = pipeline.load_split(config, name, split, workdir)
        scores, table, lines = score(config, workdir, split, data, compare)
        # Of the two, one may leave out images that the other scores.
        metrics[f"{name}_images"] = scores.pop("images")
        metrics.update(scores)
        tables.append(f"{config.dataset} {split}, {table}")
        for image_id, line in zip(data.annotated.image_ids, lines, strict=True):
            said.setdefault(image_id, []).append(line)
    files.write_json(workdir / "metrics" / f"{split}.json", metrics)
    if attention:
        _show_attention(config, workdir, split, data, attention)
    if shown:
        _show(data.annotated, said, shown, workdir / "pictures" / f"{split}.png")
    return metrics, "\n\n".join(tables)


def predict_scores(tagger, split, batch_size):
    """Scores float32 `[N, W]` of the images of a `pipeline.Split`."""
    total = -(-len(split) // batch_size)
    batches = tqdm.tqdm(split.regions(batch_size), "tagging", total, unit="batch")
    return np.concatenate([tagger(regions).numpy() for regions in batches])


def _score_tags(config, workdir, name, split, compare):
    tagger = keras.saving.load_model(workdir / "tagger" / "tagger.keras")
    words = files.read_json(workdir / "tagger" / "words.json")
    # An extended tagger knows more words than the data set, but none fewer.
    unknown = set(split.annotated.words) - set(words)
    if unknown:
        raise ValueError(
            f"The tagger in {workdir} was never told of the words {sorted(unknown)} "
            f"of {config.dataset} {name}. Teach it these with train.py --task=tagger "
            f"--extend={workdir} and another --workdir, or take them out of the data."
        )
    top = TopTags(words, config.top_k, config.threshold)
    predicted = top.predicted(predict_scores(tagger, split, config.batch_size)).numpy()
    true = np.zeros_like(predicted)
    columns = [words.index(word) for word in split.annotated.words]
    true[:, columns] = split.annotated.tags
    table = tag_metrics.per_word_table(predicted, true, words)
    pipeline.write_csv(
        workdir / "metrics" / f"{name}_words.csv",
        table[0].keys(),
        [row.values() for row in table],
    )
    scores = tag_metrics.score_tags(predicted, true, words)
    rows = published.tagger_rows(config.dataset) if compare else []
    lines = [
        [(words[w], bool(row[w])) for w in np.flatnonzero(kept)]
        for kept, row in zip(predicted, true, strict=True)
    ]
    return scores, _tag_table(scores, rows) + _compared(compare, rows, name), lines


def _score_captions(config, workdir, name, split, compare):
    captioner = load_captioner(config, workdir)
    caption = captioning.caption_function(captioner)
    captions = captioning.generate(caption, split.regions(64))
    files.write_json(
        workdir / "metrics" / f"{name}_captions.json",
        [
            {"image_id": image_id, "caption": caption}
            for image_id, caption in zip(
                _coco_ids(split.annotated.image_ids), captions, strict=True
            )
        ],
    )
    scores = caption_metrics.score_captions(
        captions, split.annotated.captions, bootstrap_samples=_BOOTSTRAP_SAMPLES
    )
    rows = published.captioner_rows(config.dataset) if compare else []
    table = _caption_table(scores, rows) + _compared(compare, rows, name)
    return scores, table, captions


_SCORES = {"tagger": _score_tags, "captioner": _score_captions}


def _coco_ids(image_ids):
    """Numbers where all the ids are written so: COCO's tools look for numbers."""
    numbers = [int(i) if re.fullmatch("0|[1-9][0-9]*", i) else None for i in image_ids]
    return image_ids if None in numbers else numbers


def _show(annotated, said, shown, path):
    """The contact sheet of some images, with captions before tags."""
    rows = np.unique(np.linspace(0, len(annotated) - 1, shown).astype(int))
    encoded = annotated.select(rows).encoded_images().as_numpy_iterator()
    texts = [said[annotated.image_ids[row]][::-1] for row in rows]
    pictures.contact_sheet([image for _, image in encoded], texts, path)
    print(f"pictures: {path}")


def _show_attention(config, workdir, name, split, shown):
    """A PNG file for each of some images: the words, and where each layer looked."""
    captioner = load_captioner(config, workdir)
    some = split.select(np.unique(np.linspace(0, len(split) - 1, shown).astype(int)))
    folder = workdir / "pictures" / f"{name}_attention"
    drawn = captioning.attention_pictures(captioner, some)
    drawn = zip(_file_names(some.annotated.image_ids), drawn, strict=True)
    for file, (_, picture) in tqdm.tqdm(drawn, "drawing", len(some), unit="image"):
        with files.atomic_path(folder / f"{file}.png") as path:
            picture.save(path, "png")
    print(f"attention: {folder}")


def _file_names(image_ids):
    """A file name for each image, all different: `a_1` of `a/1.jpg`.

    Those that would be the same have a number behind them, `a_1-2`, and long ones are
    cut: a file system takes 255 bytes.
    """
    names = []
    for image_id in image_ids:
        stem = os.path.splitext(image_id)[0].strip("./").replace("/", "_")
        stem = stem.encode("utf-8", "replace")[:200].decode("utf-8", "ignore")
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names


def _compared(compare, rows, split):
    """What is to be said of the published rows of a table."""
    if compare and not rows:
        return "\nnothing was published for this data set in the papers compared with"
    if rows and split != "test":
        return (
            f"\nthe published rows are of the official test split, this run's of its "
            f"{split} split: other images and words"
        )
    return ""


def _tag_table(scores, rows):
    """A table in percent; counts stay counts."""
    ours = {k: 100 * scores[k] for k in ("precision", "recall", "f1")}
    rows = [*rows, ("this run", {**ours, "n_plus": scores["n_plus"]})]
    return "\n".join(
        [
            f"tags: {scores['images']} images, {scores['words']} words",
            f"{'':36}{'precision':>10}{'recall':>8}{'F1':>8}{'N+':>6}",
            *(
                f"{name:36}{row['precision']:10.2f}{row['recall']:8.2f}{row['f1']:8.2f}"
                f"{row['n_plus']:6.0f}"
                for name, row in rows
            ),
            f"per image: precision {100 * scores['image_precision']:.2f}, "
            f"recall {100 * scores['image_recall']:.2f}",
        ]
    )


def _caption_table(scores, rows):
    """A table in percent, with intervals below this run's scores."""
    columns = [name for name in _CAPTION_SCORES if scores[name] is not None]
    ours = {name: 100 * scores[name] for name in columns}
    if scores["meteor_dialect"] != caption_metrics.METEOR_15:
        rows = [
            (name, {k: v for k, v in row.items() if k != "meteor"})
            for name, row in rows
        ]
    rows = [*rows, ("this run", ours)]

    def line(name, cells):
        return f"{name:36}" + "".join(f"{cell:>10}" for cell in cells)

    intervals = [scores["intervals"].get(name) for name in columns]
    lines = [
        f"captions: {scores['images']} images",
        line("", [_CAPTION_SCORES[name] for name in columns]),
        *(
            line(name, [f"{row[c]:.2f}" if c in row else "-" for c in columns])
            for name, row in rows
        ),
        line("95 % interval from", [f"{100 * low:.2f}" for low, _ in intervals]),
        line("to", [f"{100 * high:.2f}" for _, high in intervals]),
        f"tokens: {scores['tokenization']}; "
        f"METEOR: {scores['meteor_dialect'] or 'none'}",
        f"{100 * scores['distinct_captions']:.1f} % of the captions are distinct, the "
        f"most common is {100 * scores['most_common_caption']:.1f} %; a word stands at "
        f"most {scores['longest_repetition']} times in a row; "
        f"{scores['mean_length']:.1f} words a caption",
        f"distinct-1 {100 * scores['distinct_1']:.2f}, "
        f"distinct-2 {100 * scores['distinct_2']:.2f}",
    ]
    lines += [f"no {_CAPTION_SCORES[k]}: {why}" for k, why in scores["missing"].items()]
    return "\n".join(lines)
