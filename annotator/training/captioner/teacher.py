"""The trained captioner whose word probabilities another one learns."""

from annotator.captioner import Captioner
from annotator.runs.run import Run
from annotator.runs.start import find_start


def load_teacher(run: Run, captioner: Captioner) -> Captioner | None:
    """Loads the captioner that `--distill` names.

    Args:
        run: The run.
        captioner: The one that learns from it.

    Returns:
        The teacher, or `None` where none is named or it has no share in the loss.

    Raises:
        FileNotFoundError: As of `find_start`.
        ValueError: When it knows other words.
    """
    name = run.config.distill
    if not (name and run.config.distill_weight):
        return None
    teacher = find_start(name, "distill").captioner()
    if teacher.vocabulary.fingerprint() != captioner.vocabulary.fingerprint():
        raise ValueError(
            f"--distill={name} knows {len(teacher.vocabulary)} words, this captioner "
            f"{len(captioner.vocabulary)}, and they are not the same: train on the "
            "same captions with the same --min_count."
        )
    teacher.trainable = False
    teacher.set_jit_compile(run.config.jit_compile)
    return teacher
