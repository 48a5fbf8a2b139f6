"""The phases of a captioner's training, and its end.

First it learns reference captions, then, if asked, the rewards of its own captions. The
validation scores of the epochs so far tell where it stands, and nothing else does.
"""

from annotator.config import Config


def feedback_joins(config: Config) -> int:
    """The epoch from which on feedback is learned, and captions are decoded with it.

    What the captioner scores before it is no sign of what it will be in the end: these
    epochs leave no best weights and cost no patience.
    """
    return config.feedback_start if config.rounds else 0


def is_best(score: list[float], scores: list[list[float]], config: Config) -> bool:
    """Whether an epoch's weights are the best so far.

    Args:
        score: Its validation score: numbers, of which the first that differs decides.
        scores: Those of the epochs before it.
        config: `Config`.
    """
    first = feedback_joins(config)
    return len(scores) >= first and all(score > other for other in scores[first:])


def first_self_critical_epoch(scores: list[list[float]], config: Config) -> int | None:
    """The epoch from which on rewards are learned.

    Args:
        scores: Validation score of each epoch so far.
        config: `Config`.

    Returns:
        Its number, or `None` while reference captions are being learned.
    """
    for epoch in range(len(scores) + 1):
        if epoch >= config.epochs:
            return epoch
        if _out_of_patience(scores[feedback_joins(config) : epoch], config.patience):
            return epoch
    return None


def finished(scores: list[list[float]], config: Config) -> bool:
    """Whether both phases have had their epochs, or the end of patience.

    Args:
        scores: Validation score of each epoch so far.
        config: `Config`.
    """
    first = first_self_critical_epoch(scores, config)
    if first is None:
        return False
    scores = scores[first:]
    return len(scores) >= config.self_critical_epochs or _out_of_patience(
        scores, config.patience
    )


def _out_of_patience(scores, patience):
    return bool(scores) and len(scores) - 1 - scores.index(max(scores)) >= patience
