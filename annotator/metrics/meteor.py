"""METEOR, by METEOR 1.5 where the extra `coco` and Java are there, else by NLTK.

The dialects give very different numbers (NLTK's defaults about twice METEOR 1.5's), so
the dialect belongs beside the score.
"""

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Sequence

import nltk
import numpy as np
from nltk.translate.meteor_score import meteor_score

# Not `annotator[coco]`: on PyPI that name is another project's.
_NO_EXTRA = 'needs the extra `coco`: pip install ".[coco]" where this package lies'
METEOR_15 = "METEOR 1.5"
METEOR_NLTK = "NLTK (alpha 0.9, beta 3, gamma 0.5)"


def score_meteor(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
    dialect: str,
) -> tuple[tuple[float, Sequence[float]] | None, str | None, str | None]:
    """Scores captions by METEOR.

    Args:
        hypotheses: Tokens of N captions.
        references: Tokens of the references of each.
        dialect: `"auto"`: METEOR 1.5 if it can run, else NLTK's; `"1.5"`; `"nltk"`; or
            `"none"`.

    Returns:
        `(values, dialect, reason)`: the score and the scores of the N images, by which
        dialect, and `None`; or `None`, `None` and why there is no score.
    """
    reasons = []
    if dialect in ("auto", "1.5"):
        if importlib.util.find_spec("pycocoevalcap") is None:
            reasons.append(f"METEOR 1.5 {_NO_EXTRA}")
        elif shutil.which("java") is None:
            reasons.append("METEOR 1.5 needs Java, and there is no `java` on the PATH")
        else:
            values, reason = _meteor_15(hypotheses, references)
            if values is not None:
                return values, METEOR_15, None
            reasons.append(reason)
    if dialect in ("auto", "nltk"):
        try:
            nltk.corpus.wordnet.synsets("dog")
        except (LookupError, OSError) as error:
            reasons.append(
                "NLTK's METEOR needs WordNet, unpacked in corpora/wordnet below a "
                "folder of $NLTK_DATA: python -m nltk.downloader wordnet "
                f"({type(error).__name__})"
            )
        else:
            values = [
                meteor_score(group, hypothesis)
                for hypothesis, group in zip(hypotheses, references, strict=True)
            ]
            return (np.mean(values), values), METEOR_NLTK, None
    return None, None, "; ".join(reasons) or "not asked for"


def _meteor_15(hypotheses, references):
    """`((score, scores of the images) or None, reason if None)`."""
    from pycocoevalcap.meteor.meteor import Meteor

    # Java would else write "0,5" in some languages and read UTF-8 wrongly.
    options = "-Duser.language=en -Dfile.encoding=UTF-8"
    before = os.environ.get("JAVA_TOOL_OPTIONS")
    os.environ["JAVA_TOOL_OPTIONS"] = f"{before} {options}" if before else options
    scorer = None
    try:
        scorer = Meteor()
        values = scorer.compute_score(*_coco_form(hypotheses, references))
    except (OSError, ValueError) as error:
        if scorer is not None:
            # Its destructor waits for the lock and flushes the pipe.
            scorer.lock.release()
            with contextlib.suppress(OSError):
                scorer.meteor_p.stdin.close()
        return None, f"METEOR 1.5 failed; does `java` run? ({error!r})"
    finally:
        if before is None:
            del os.environ["JAVA_TOOL_OPTIONS"]
        else:
            os.environ["JAVA_TOOL_OPTIONS"] = before
    return values, None


def _coco_form(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """`(references, hypotheses)`, each a dict from image to texts of joined tokens."""
    groups = [[" ".join(tokens) for tokens in group] for group in references]
    texts = [[" ".join(tokens)] for tokens in hypotheses]
    return dict(enumerate(groups)), dict(enumerate(texts))
