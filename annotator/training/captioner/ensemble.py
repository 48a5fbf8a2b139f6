"""The captioner of a run that trains none: trained ones that write together."""

from annotator import files
from annotator.captioner import Captioner, ensemble
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.runs.start import find_start


def join_captioners(run: Run) -> None:
    """Makes the captioner of a run out of those that `--ensemble` names.

    Its folder then holds `vocabulary.json` and `captioner.keras`, as after a training.

    Args:
        run: The run.

    Raises:
        FileNotFoundError: As of `find_start`.
        ValueError: When the captioners know other words, were trained in another
            precision, or cannot be members of an ensemble.
    """
    names = run.config.ensemble
    members = [find_start(name, "ensemble").captioner() for name in names]
    for name, member in zip(names, members, strict=True):
        _check(name, member, names[0], members[0])
    # Re-rankers of their own would rank nothing.
    members = [each.with_reranker(None) if each.reranker else each for each in members]
    captioner = ensemble(members, run.sampler())
    # What is scored and exported runs on any server.
    captioner.set_jit_compile(False)
    captioner.vocabulary.save(run.files.vocabulary)
    with files.atomic_path(run.files.model(CAPTIONER.name)) as temporary:
        captioner.save(temporary)


def _check(name: str, member: Captioner, first_name: str, first: Captioner) -> None:
    if member.vocabulary.fingerprint() != first.vocabulary.fingerprint():
        raise ValueError(
            f"--ensemble={first_name},{name}: the first knows "
            f"{len(first.vocabulary)} words, the other {len(member.vocabulary)}, and "
            "they are not the same: train both on the same captions with the same "
            "--min_count."
        )
    precision, other = member.dtype_policy.name, first.dtype_policy.name
    if precision != other:
        raise ValueError(
            f"--ensemble={first_name},{name}: the first computes in {other}, the other "
            f"in {precision}: train both with the same --precision."
        )
