"""Scores of generated captions against several references each.

BLEU is computed from NLTK's counts; METEOR by METEOR 1.5 where the extra `coco` and
Java are there, else by NLTK where WordNet is; CIDEr-D and ROUGE-L equal coco-caption's.
"""

import collections
import itertools
from collections.abc import Callable, Sequence

import nltk
import numpy as np
from absl import logging

from annotator.metrics.bleu import bleu_counts, bleu_of_counts
from annotator.metrics.cider import score_cider
from annotator.metrics.meteor import METEOR_NLTK, score_meteor
from annotator.metrics.rouge import score_rouge_l
from annotator.metrics.tokenizer import TOKENIZATION, tokenize

_METEORS = ("auto", "1.5", "nltk", "both", "none")


def score_captions(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    tokenizer: Callable[[str], list[str]] = tokenize,
    meteor: str = "auto",
    bootstrap_samples: int = 0,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict:
    """Scores one caption an image.

    BLEU (Papineni et al., ACL 2002) is the corpus score: counts are pooled over all
    images before the quotients are taken, the reference length of an image is the one
    closest to the caption's (the shorter of two that are equally close), and nothing
    is smoothed. It equals coco-caption's on the same tokens, whose guards against a
    division by zero are taken over: without any common four-gram BLEU-4 is not 0 but
    below 1e-3.

    METEOR's dialects give very different numbers (NLTK's defaults about twice METEOR
    1.5's), so `meteor_dialect` belongs beside the score.

    Args:
        hypotheses: N captions; an empty one scores 0 and counts.
        references: N sequences of at least one reference caption each.
        tokenizer: Text to tokens, for both. Pass `str.split` for tokenized text.
        meteor: `"auto"`: METEOR 1.5 if it can run, else NLTK's; `"1.5"`; `"nltk"`; or
            `"none"`, to save its time; `"both"`: as `"auto"`, and NLTK's beside it.
        bootstrap_samples: How often the images are resampled for the intervals; 0: no
            intervals.
        confidence: Share of resampled scores that an interval covers.
        seed: Seed of the resampling.

    Returns:
        A dictionary, all scores as fractions (CIDEr's maximum is 10):

        - `bleu_1` to `bleu_4`, `meteor`, `meteor_dialect`, `cider` (CIDEr-D),
            `rouge_l`; `None` where a score could not be computed, with the reason in
            `missing`, `{score: reason}`;
        - `meteor_nltk`, with `"both"` only: NLTK's METEOR, or `None`;
        - `ngram_matches`: how many unigrams to 4-grams match a reference's, a list of
            four counts: where the last is 0, BLEU-4 is nothing but the guards;
        - `distinct_1`, `distinct_2`: different n-grams over all n-grams;
        - `distinct_captions`: different captions over captions;
        - `most_common_caption`: share of images with the most frequent caption;
        - `longest_repetition`: most times that one word stands in a row;
        - `mean_length`: tokens a caption;
        - `images`: N; `tokenization`: in words;
        - `intervals`: `{score: [low, high]}`, with `bootstrap_samples` only:
            percentiles over resampled images, for all but the measures of variety,
            which would count an image that is drawn twice as a repetition. (CIDEr's
            document frequencies are not recomputed; METEOR 1.5's interval is that of
            its mean over images, moved to the corpus score.)

    Raises:
        ValueError: When there are no captions, another number of captions than of
            groups of references, or an image without a reference.
    """
    _check(hypotheses, references, meteor)
    tokens = [tokenizer(caption) for caption in hypotheses]
    reference_tokens = [[tokenizer(text) for text in group] for group in references]
    counts = np.array(
        [
            bleu_counts(hypothesis, group)
            for hypothesis, group in zip(tokens, reference_tokens, strict=True)
        ]
    )
    scores: dict[str, float | None] = {
        name: float(score) for name, score in _bleu_scores(counts.sum(0)).items()
    }
    per_image, missing = {}, {}
    meteor_values, dialect, reason = score_meteor(
        tokens, reference_tokens, "auto" if meteor == "both" else meteor
    )
    computed = {
        "meteor": (meteor_values, reason),
        "cider": (score_cider(tokens, reference_tokens), None),
        "rouge_l": (score_rouge_l(tokens, reference_tokens), None),
    }
    for name, (values, reason) in computed.items():
        if values is None:
            scores[name], missing[name] = None, reason
            if meteor != "none":  # not in every epoch of a training
                logging.info("No %s: %s", name, reason)
        else:
            score, per_image[name] = values
            scores[name] = float(score)
    result = {
        **scores,
        "meteor_dialect": dialect,
        "ngram_matches": counts.sum(0)[:4].tolist(),
        **_diversity(tokens),
        "images": len(hypotheses),
        "tokenization": TOKENIZATION if tokenizer is tokenize else "given",
        "missing": missing,
    }
    if meteor == "both":
        result["meteor_nltk"] = _meteor_nltk(tokens, reference_tokens, scores, dialect)
    if bootstrap_samples:
        rng = np.random.default_rng(seed)
        images = len(hypotheses)
        # How often each image is drawn: [samples, images].
        draws = rng.multinomial(images, np.full(images, 1 / images), bootstrap_samples)
        lengths = np.array([len(caption) for caption in tokens])
        resampled = {
            **_resampled_scores(draws, counts, scores, per_image),
            "mean_length": draws @ lengths / images,
        }
        tails = [50 * (1 - confidence), 50 * (1 + confidence)]
        result["intervals"] = {
            name: [float(bound) for bound in np.percentile(values, tails)]
            for name, values in resampled.items()
        }
    return result


def _meteor_nltk(tokens, references, scores, dialect):
    if dialect == METEOR_NLTK:
        return scores["meteor"]
    values, _, _ = score_meteor(tokens, references, "nltk")
    return None if values is None else float(values[0])


def _resampled_scores(draws, counts, scores, per_image):
    """Score -> its values `[samples]`, by how often each image is drawn."""
    resampled = _bleu_scores(draws @ counts)
    for name, values in per_image.items():
        shift = scores[name] - np.mean(values)
        resampled[name] = draws @ np.asarray(values) / draws.shape[1] + shift
    return resampled


def _bleu_scores(counts):
    return {f"bleu_{n}": bleu for n, bleu in enumerate(bleu_of_counts(counts), 1)}


def _check(hypotheses, references, meteor):
    if isinstance(hypotheses, str) or not hypotheses:
        raise ValueError("`hypotheses` must be a sequence of at least one caption.")
    if len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} hypotheses, but references for {len(references)}."
        )
    for row, group in enumerate(references):
        if isinstance(group, str) or not group:
            raise ValueError(
                f"Image {row} needs a sequence of references, not {group!r}."
            )
    if meteor not in _METEORS:
        raise ValueError(f"`meteor` must be one of {_METEORS}; got {meteor!r}.")


def _diversity(hypotheses):
    captions = collections.Counter(tuple(tokens) for tokens in hypotheses)
    runs = [
        len(list(run)) for tokens in hypotheses for _, run in itertools.groupby(tokens)
    ]
    return {
        "distinct_1": _distinct(hypotheses, 1),
        "distinct_2": _distinct(hypotheses, 2),
        "distinct_captions": len(captions) / len(hypotheses),
        "most_common_caption": max(captions.values()) / len(hypotheses),
        "longest_repetition": max(runs, default=0),
        "mean_length": sum(map(len, hypotheses)) / len(hypotheses),
    }


def _distinct(hypotheses, order):
    ngrams = [gram for tokens in hypotheses for gram in nltk.ngrams(tokens, order)]
    return len(set(ngrams)) / len(ngrams) if ngrams else 0.0
