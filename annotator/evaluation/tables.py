"""Tables of scores, as text in percent."""

from annotator.metrics.meteor import METEOR_15

CAPTION_COLUMNS = {
    **{f"bleu_{n}": f"BLEU-{n}" for n in range(1, 5)},
    **{"meteor": "METEOR", "cider": "CIDEr", "rouge_l": "ROUGE-L"},
}
# Width of the column of names.
_NAME = 36


def compared_note(compare: bool, rows: list, split: str) -> str:
    """What is to be said of the published rows of a table.

    Args:
        compare: Whether they were asked for.
        rows: The rows.
        split: The split of this run's scores.
    """
    if compare and not rows:
        return "\nnothing was published for this data set in the papers compared with"
    if rows and split != "test":
        return (
            f"\nthe published rows are of the official test split, this run's of its "
            f"{split} split: other images and words"
        )
    return ""


def learned_note(split: str, train_split: str) -> str:
    """What is to be said of scores on images that the model learned.

    Args:
        split: The split that is scored.
        train_split: The split that was learned.
    """
    if set(split.split("+")) & set(train_split.split("+")):
        return (
            f"\nthe model learned from --train_split={train_split}: scores on {split} "
            "tell nothing of other images"
        )
    return ""


def tag_table(scores: dict, rows: list[tuple[str, dict]]) -> str:
    """A table in percent; counts stay counts.

    Args:
        scores: From `annotator.metrics.tags`: those of `score_tags`, and
            `mean_average_precision`.
        rows: Name and scores, in percent, of each system to stand above.
    """
    ours = {name: 100 * scores[name] for name in ("precision", "recall", "f1")}
    rows = [*rows, ("this run", {**ours, "n_plus": scores["n_plus"]})]
    return "\n".join(
        [
            f"tags: {scores['images']} images, {scores['words']} words",
            f"{'':{_NAME}}{'precision':>10}{'recall':>8}{'F1':>8}{'N+':>6}",
            *(
                f"{name:{_NAME}}{row['precision']:10.2f}{row['recall']:8.2f}"
                f"{row['f1']:8.2f}{row['n_plus']:6.0f}"
                for name, row in rows
            ),
            f"per image: precision {100 * scores['image_precision']:.2f}, "
            f"recall {100 * scores['image_recall']:.2f}",
            "mean average precision of a word: "
            f"{100 * scores['mean_average_precision']:.2f}",
            *_tag_intervals(scores),
        ]
    )


def _tag_intervals(scores):
    if "tag_intervals" not in scores:
        return []
    (low, high), (fewest, most) = (
        scores["tag_intervals"][name] for name in ("f1", "n_plus")
    )
    return [
        f"95 % intervals: F1 {100 * low:.2f} to {100 * high:.2f}, "
        f"N+ {fewest:.0f} to {most:.0f}"
    ]


def comparable_rows(scores: dict, rows: list[tuple[str, dict]]) -> list:
    """Published rows without what cannot be compared.

    Args:
        scores: From `annotator.metrics.captions.score_captions`.
        rows: Name and scores of each system.

    Returns:
        The rows, without METEOR if that of `scores` is of another dialect.
    """
    if scores["meteor_dialect"] == METEOR_15:
        return rows
    return [
        (name, {k: v for k, v in row.items() if k != "meteor"}) for name, row in rows
    ]


def caption_table(scores: dict, rows: list[tuple[str, dict]]) -> str:
    """A table in percent, with intervals below this run's scores.

    Args:
        scores: From `annotator.metrics.captions.score_captions`.
        rows: Name and scores, in percent, of each system to stand above. Their METEOR
            is left out if this run's is of another dialect.
    """
    columns = [name for name in CAPTION_COLUMNS if scores[name] is not None]
    rows = [
        *comparable_rows(scores, rows),
        ("this run", {name: 100 * scores[name] for name in columns}),
    ]
    intervals = [scores["intervals"].get(name) for name in columns]
    lines = [
        f"captions: {scores['images']} images",
        _line("", [CAPTION_COLUMNS[name] for name in columns]),
        *(
            _line(name, [f"{row[c]:.2f}" if c in row else "-" for c in columns])
            for name, row in rows
        ),
        _line("95 % interval from", [f"{100 * low:.2f}" for low, _ in intervals]),
        _line("to", [f"{100 * high:.2f}" for _, high in intervals]),
        f"tokens: {scores['tokenization']}; "
        f"METEOR: {scores['meteor_dialect'] or 'none'}",
        f"{100 * scores['distinct_captions']:.1f} % of the captions are distinct, the "
        f"most common is {100 * scores['most_common_caption']:.1f} %; a word stands at "
        f"most {scores['longest_repetition']} times in a row; "
        f"{scores['mean_length']:.1f} words a caption",
        f"distinct-1 {100 * scores['distinct_1']:.2f}, "
        f"distinct-2 {100 * scores['distinct_2']:.2f}",
    ]
    lines += [f"no {CAPTION_COLUMNS[k]}: {why}" for k, why in scores["missing"].items()]
    return "\n".join(lines)


def _line(name, cells):
    return f"{name:{_NAME}}" + "".join(f"{cell:>10}" for cell in cells)
