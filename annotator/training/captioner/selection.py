"""The validation score that picks a captioner's weights."""

from annotator.config import Config
from annotator.metrics.captions import score_captions


def check_selection(config: Config) -> None:
    """Finds out, before hours of training, whether the picking score can be had here.

    Raises:
        ValueError: If it cannot.
    """
    selection_score(config, score_captions(["a"], [["a"]], meteor="none"))


def selection_score(config: Config, scores: dict) -> float:
    """The one of a dict of scores that picks the weights.

    Args:
        config: `Config`.
        scores: From `score_captions`.

    Raises:
        ValueError: If it is missing there.
    """
    name = config.select_by
    if scores[name] is None:
        raise ValueError(f"--select_by={name}: {scores['missing'][name]}")
    return scores[name]
