"""Probabilities of captions held against what people wrote, recomputed by hand."""

import numpy as np
import pytest

from annotator.captioner import WordProbability, fit_word_probability
from annotator.config import Config
from annotator.evaluation.caption_probabilities import (
    caption_reliability,
    caption_reliability_note,
)
from annotator.evaluation.captioning import SaidCaptions
from annotator.runs.run import Run


@pytest.mark.parametrize("split", ["validation", "test"])
def test_each_half_of_validation_is_judged_by_the_other(split, tmp_path, monkeypatch):
    """By hand: captions of one word, and of half of them it is right."""
    run, own = Run(Config(), tmp_path), WordProbability(0.5, 0.1)
    monkeypatch.setattr(run, "word_probability", lambda: own)
    right = np.arange(40) % 2 == 0
    means = np.where(right, -0.2, -2.0) + np.linspace(0, 0.1, 40)
    captions = [f"a word{i}" for i in range(40)]
    references = [[f"the word{i if yes else ''}"] for i, yes in enumerate(right)]
    said = SaidCaptions(captions, np.float32(means), 1.0)
    metrics = caption_reliability(run, split, said, references)
    expected = np.array(own(np.float32(means)))
    if split == "validation":
        half = np.random.default_rng(run.config.seed).permutation(40) % 2
        for part in (0, 1):
            others = half != part
            hits = right[others].astype(int)
            fitted = fit_word_probability(means[others], hits, np.ones_like(hits))
            expected[~others] = fitted(np.float32(means[~others]))
    facts = metrics["caption_reliability"]
    assert sum(facts["counts"]) == 40
    total = np.dot(facts["said"], facts["counts"])
    assert total == pytest.approx(expected.sum(), rel=1e-4)
    happened = np.dot(facts["happened"], facts["counts"])
    assert happened == pytest.approx(20)
    lines = caption_reliability_note(metrics).splitlines()
    error = 100 * facts["calibration_error"]
    assert lines[1].endswith(f"off by {error:.1f} points in the mean")
    assert [len(line.split()) for line in lines[3:]] == [
        len(facts["said"]) + 3,
        len(facts["said"]) + 2,
    ]
