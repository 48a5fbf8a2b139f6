"""The report of a validation: what TensorBoard keeps, and the line that is printed."""

from collections.abc import Sequence

import tensorflow as tf

_LOGGED = ("bleu_1", "bleu_4", "cider", "rouge_l", "distinct_captions")
_SAMPLES = 8


def log_validation(
    scores: dict, image_ids: Sequence[str], captions: Sequence[str], step: int
) -> None:
    """Writes scores and some captions to TensorBoard's log.

    Args:
        scores: From `score_captions`.
        image_ids: The ids of the validation images.
        captions: What was said of them.
        step: The step of the training.
    """
    for name in _LOGGED:
        if scores[name] is not None:
            tf.summary.scalar(f"validation/{name}", scores[name], step)
    samples = list(zip(image_ids, captions, strict=True))[:_SAMPLES]
    text = "\n\n".join(f"{name}: {caption}" for name, caption in samples)
    tf.summary.text("validation/captions", text, step)


def report(scores: dict, epoch: int) -> None:
    """Prints the scores of an epoch.

    Args:
        scores: From `score_captions`.
        epoch: Its number, from 0.
    """
    parts = [f"validation BLEU-4 {100 * scores['bleu_4']:.2f}"]
    if scores["cider"] is not None:
        parts.append(f"CIDEr {100 * scores['cider']:.2f}")
    parts.append(f"{100 * scores['distinct_captions']:.0f} % of captions distinct")
    print(f"epoch {epoch + 1}: {', '.join(parts)}")
