"""CIDEr-D and ROUGE-L, by the extra `coco` (pycocoevalcap)."""

import importlib.util
from collections.abc import Sequence

# Not `annotator[coco]`: on PyPI that name is another project's.
NO_EXTRA = 'needs the extra `coco`: pip install ".[coco]" where this package lies'


def coco_score(
    name: str,
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
) -> tuple[tuple[float, Sequence[float]] | None, str | None]:
    """Scores captions by CIDEr-D or ROUGE-L.

    Args:
        name: `"cider"` or `"rouge_l"`.
        hypotheses: Tokens of N captions.
        references: Tokens of the references of each.

    Returns:
        `(values, reason)`: the score and the scores of the N images, and `None`; or
        `None` and why there is no score.
    """
    if importlib.util.find_spec("pycocoevalcap") is None:
        return None, NO_EXTRA
    if name == "cider":
        from pycocoevalcap.cider.cider import Cider as Scorer
    else:
        from pycocoevalcap.rouge.rouge import Rouge as Scorer
    return Scorer().compute_score(*coco_form(hypotheses, references)), None


def coco_form(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Joins tokens to what pycocoevalcap takes.

    Args:
        hypotheses: Tokens of N captions.
        references: Tokens of the references of each.

    Returns:
        `(references, hypotheses)`, each a dict from image to texts.
    """
    groups = [[" ".join(tokens) for tokens in group] for group in references]
    texts = [[" ".join(tokens)] for tokens in hypotheses]
    return dict(enumerate(groups)), dict(enumerate(texts))
