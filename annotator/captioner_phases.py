"""When a captioner's training learns what, and when it ends.

First it learns reference captions, then, if asked, the rewards of its own captions. The
validation scores of the epochs so far tell where it stands, and nothing else does.
"""

import numpy as np


def first_self_critical_epoch(scores, config):
    """The epoch from which on rewards are learnt.

    Args:
        scores: Validation score of each epoch so far.
        config: `Config`.

    Returns:
        Its number, or `None` while reference captions are being learnt.
    """
    for epoch in range(len(scores) + 1):
        if _spent(scores[:epoch], config.epochs, config.patience):
            return epoch
    return None


def finished(scores, config):
    """Whether both phases have had their epochs, or the end of patience."""
    first = first_self_critical_epoch(scores, config)
    if first is None:
        return False
    return _spent(scores[first:], config.self_critical_epochs, config.patience)


def _spent(scores, epochs, patience):
    if len(scores) >= epochs:
        return True
    return bool(scores) and len(scores) - 1 - int(np.argmax(scores)) >= patience
