"""What was measured of a run: read from its folder, kept for the page."""

import dataclasses
import json
import pathlib
from typing import Any

from absl import flags as absl_flags

from annotator.config import Config, flags
from recipes.row import Row, Table
from recipes.rows import SPLIT

# Scores of a run, by task; what stands beside them in its file is not kept.
SCORES = {
    "captioner": (
        *(f"bleu_{n}" for n in range(1, 5)),
        *("meteor", "meteor_nltk", "cider", "rouge_l", "distinct_captions"),
    ),
    "tagger": ("precision", "recall", "f1", "n_plus", "mean_average_precision"),
}
_WEIGHTS = "imagenet"
_INTERVALS = {"captioner": "intervals", "tagger": "tag_intervals"}


@dataclasses.dataclass(frozen=True)
class Measured:
    """A run's scores and what they took.

    Attributes:
        scores: Score -> its value, a fraction or a count; `None` for what is missing.
        intervals: Score -> its 95 % interval, a pair.
        images: Images that were scored.
        epochs: The budget in epochs, `None` where there is none.
        training: Seconds of the training, `None` if they were not kept.
        inference: Seconds for all the images, `None` if they were not kept.
        processors: On what.
        settings: The settings by which it is known.
    """

    scores: dict[str, float | None]
    intervals: dict[str, list[float]]
    images: int
    epochs: int | None
    training: float | None
    inference: float | None
    processors: list[str]
    settings: dict[str, Any]

    @classmethod
    def of_run(cls, folder: pathlib.Path, table: Table, row: Row) -> "Measured":
        """Reads a run.

        Args:
            folder: Folder of the run.
            table: The table of the row.
            row: The row that it is of.

        Raises:
            FileNotFoundError: When it has no scores.
            ValueError: When a setting is not the row's; names it and both values.
        """
        metrics = _read(folder / "metrics" / f"{SPLIT}.json")
        if metrics is None:
            raise FileNotFoundError(f"{folder} has no scores on {SPLIT}.")
        config = _read(folder / "config.json") or {}
        ran = Config.from_json(config, str(folder / "config.json"))
        wanted = settings_of(table, row)
        for name, value in wanted.items():
            own = getattr(ran, name)
            # Seeds and budgets are shown, and a place says nothing of it. Of what there
            # was not yet when it was trained, its own file says nothing.
            if name in ("seed", table.epochs) or {"$", "@"} & set(str(value)):
                continue
            if name == "backbone_weights" and value == _WEIGHTS and own != "random":
                continue  # Keras's file, from where it lies
            if name in config and own != value:
                raise ValueError(
                    f"{folder} was trained with --{name}={own}, and the row "
                    f"{row.name} has {value}: it is of another row, or of another "
                    "version of this one."
                )
        training = _read(folder / table.task / "training.json") or {}
        seconds = _read(folder / "metrics" / f"{SPLIT}_seconds.json") or {}
        return cls(
            scores={name: metrics.get(name) for name in SCORES[table.task]},
            intervals={
                name: metrics.get(_INTERVALS[table.task], {})[name]
                for name in SCORES[table.task]
                if name in metrics.get(_INTERVALS[table.task], {})
            },
            images=metrics[f"{table.task}_images"],
            epochs=getattr(ran, table.epochs) if table.epochs else None,
            training=training.get("seconds"),
            inference=seconds.get(table.task),
            processors=sorted(
                {*training.get("processors", ()), seconds.get("processor", "")} - {""}
            ),
            settings=json.loads(json.dumps(wanted)),
        )

    def is_of(self, table: Table, row: Row) -> bool:
        """Whether the row still has the settings that were measured."""
        return self.settings == json.loads(json.dumps(settings_of(table, row)))


def settings_of(table: Table, row: Row) -> dict[str, Any]:
    """The settings that a row's flags name, as `Config` has them.

    Args:
        table: The row's table.
        row: The row.

    Raises:
        ValueError: When a value is wrong.
        absl.flags.Error: When `train.py` has no such flag.
    """
    values = absl_flags.FlagValues()

    def add(define: Any, name: str, default: Any, help: str, note: str, **options: Any):
        define(name=name, default=default, help=help, flag_values=values, **options)

    for _, settings in flags.groups():
        for setting in settings:
            flags.define(setting, add)
    values(["train.py", *table.arguments(row)])
    config = flags.config(values)
    return {
        name: getattr(config, name)
        for name in Config.settings()
        if values[name].present and name != "task"
    }


def _read(path):
    if not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))
