"""BLEU against two other implementations, METEOR's ways to fail, intervals."""

import importlib.util
import json
import math
import os
import shutil
import types

import nltk
import numpy as np
import pytest
from nltk.translate.bleu_score import corpus_bleu

from annotator.metrics import meteor
from annotator.metrics.captions import score_captions
from annotator.metrics.rouge import score_rouge_l
from annotator.metrics.tokenizer import TOKENIZATION

WORDS = "a the dog cat runs sits on in red blue park mat with and".split()
BLEU = ("bleu_1", "bleu_2", "bleu_3", "bleu_4")


def score(hypotheses, references, **options):
    """Without METEOR, whose Java takes seconds to start."""
    return score_captions(hypotheses, references, **{"meteor": "none", **options})


def bleu(hypotheses, references):
    scores = score(hypotheses, references, tokenizer=str.split)
    return [scores[name] for name in BLEU]


def random_captions(images, seed=0, shortest=1):
    """Captions that share n-grams with their five references."""
    rng = np.random.default_rng(seed)

    def draw():
        return list(rng.choice(WORDS, rng.integers(shortest, 14)))

    hypotheses, references = [], []
    for _ in range(images):
        group = [draw() for _ in range(5)]
        hypothesis = list(group[0])
        hypothesis[rng.integers(len(hypothesis))] = "cat"
        hypotheses.append(" ".join(hypothesis[: rng.integers(1, 15)]))
        references.append([" ".join(reference) for reference in group])
    return hypotheses, references


def test_bleu_by_hand():
    # "the" occurs twice in the first reference and once in the second, so 2 of the 7
    # count; the reference lengths are 6 and 7, so there is no brevity penalty.
    references = [["the cat is on the mat", "there is a cat on the mat"]]
    scores = bleu(["the the the the the the the"], references)
    assert scores[0] == pytest.approx(2 / 7)
    # 4 of 5 unigrams, 3 of 4, 2 of 3, 1 of 2; 5 tokens against 6.
    scores = bleu(["the cat is on on"], [["the cat is on the mat"]])
    brevity = math.exp(1 - 6 / 5)
    products = np.cumprod([4 / 5, 3 / 4, 2 / 3, 1 / 2])
    assert scores == pytest.approx(brevity * products ** (1 / np.arange(1, 5)))


def test_bleu_pools_counts_over_images():
    scores = bleu(["a b c d", "x"], [["a b c d"], ["y"]])
    # 4 of 5 unigrams, and no n-gram of the short caption: 3 of 3, 2 of 2, 1 of 1.
    assert scores[0] == pytest.approx(4 / 5)
    assert scores[3] == pytest.approx((4 / 5) ** (1 / 4))


def test_of_two_equally_close_references_the_shorter_counts():
    # 4 tokens, references of 2 and 6: with the longer one there would be a penalty.
    assert bleu(["a b c d"], [["a b", "a b c d e f"]])[0] == pytest.approx(1)
    assert bleu(["a b c d"], [["a b", "a b c d e"]])[0] == pytest.approx(
        math.exp(-1 / 4)
    )


def test_bleu_without_common_ngrams_is_not_smoothed():
    scores = bleu(["a b c d e"], [["e d c b a"]])
    assert scores[0] == pytest.approx(1)
    assert 0 <= scores[3] < scores[2] < scores[1] < 1e-3


def test_bleu_equals_nltk():
    hypotheses, references = random_captions(60, shortest=5)
    # NLTK counts captions below four tokens as if they had an n-gram.
    pairs = [p for p in zip(hypotheses, references, strict=True) if p[0].count(" ") > 3]
    scores = bleu([h for h, _ in pairs], [group for _, group in pairs])
    tokens = [[r.split() for r in group] for _, group in pairs]
    expected = [
        corpus_bleu(tokens, [h.split() for h, _ in pairs], weights=[1 / n] * n)
        for n in range(1, 5)
    ]
    assert scores == pytest.approx(expected, abs=1e-6)
    assert 0.05 < scores[3] < 0.95


@pytest.mark.parametrize("seed", range(5))
def test_bleu_equals_coco_caption(seed):
    module = pytest.importorskip("pycocoevalcap.bleu.bleu")
    # Few images and short captions, so that the degenerate cases come up.
    hypotheses, references = random_captions([1, 2, 5, 20, 100][seed], seed)
    hypotheses[0] = "" if seed % 2 else "mat"
    expected, _ = module.Bleu(4).compute_score(
        dict(enumerate(references)),
        {i: [h] for i, h in enumerate(hypotheses)},
        verbose=0,
    )
    assert bleu(hypotheses, references) == pytest.approx(expected, abs=1e-6)


def test_cider_and_rouge_are_those_of_coco_caption():
    cider = pytest.importorskip("pycocoevalcap.cider.cider")
    rouge = pytest.importorskip("pycocoevalcap.rouge.rouge")
    hypotheses, references = random_captions(20)
    scores = score(hypotheses, references, tokenizer=str.split)
    form = dict(enumerate(references)), {i: [h] for i, h in enumerate(hypotheses)}
    assert scores["cider"] == pytest.approx(cider.Cider().compute_score(*form)[0])
    assert scores["rouge_l"] == pytest.approx(rouge.Rouge().compute_score(*form)[0])
    perfect = score([group[0] for group in references], references)
    assert perfect["rouge_l"] == pytest.approx(1)
    assert perfect["cider"] > scores["cider"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_rouge_l_of_degenerate_captions_is_that_of_coco_caption(seed):
    rouge = pytest.importorskip("pycocoevalcap.rouge.rouge")
    hypotheses, references = random_captions([2, 5, 30][seed], seed)
    hypotheses[0] = "zebra"  # in no reference
    _, expected = rouge.Rouge().compute_score(
        dict(enumerate(references)), {i: [h] for i, h in enumerate(hypotheses)}
    )
    _, ours = score_rouge_l(
        [h.split() for h in hypotheses], [[r.split() for r in g] for g in references]
    )
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_rouge_l_by_hand():
    # The longest common subsequence is "a dog runs": 3 of 4 words, and 3 of 5.
    caption, reference = "a dog runs fast".split(), "a dog in snow runs".split()
    score, (own,) = score_rouge_l([caption], [[reference]])
    assert score == own == pytest.approx(2.44 * 0.75 * 0.6 / (0.6 + 1.44 * 0.75))
    assert score_rouge_l([[]], [[["a"]]]) == (0.0, [0.0])


def test_text_is_tokenized_alike_on_both_sides():
    scores = score(["A Dog runs, fast!"], [["a dog runs fast ."]])
    assert scores["bleu_4"] == pytest.approx(1)
    assert scores["tokenization"] == TOKENIZATION
    assert score(["a"], [["a"]], tokenizer=str.split)["tokenization"] == "given"


def test_diversity_by_hand():
    hypotheses = ["a b a b", "a b a b", "c c c", ""]
    scores = score(hypotheses, [["a b"]] * 4, tokenizer=str.split)
    assert scores["distinct_1"] == pytest.approx(3 / 11)
    assert scores["distinct_2"] == pytest.approx(3 / 8)  # ab, ba, cc
    assert scores["distinct_captions"] == pytest.approx(3 / 4)
    assert scores["most_common_caption"] == pytest.approx(2 / 4)
    assert scores["longest_repetition"] == 3
    assert scores["mean_length"] == pytest.approx(11 / 4)
    assert scores["images"] == 4


def test_only_empty_captions():
    scores = score(["", ""], [["a dog"], ["a cat"]], bootstrap_samples=10)
    assert scores["bleu_1"] == pytest.approx(0, abs=1e-6)
    assert scores["mean_length"] == scores["distinct_1"] == 0
    assert scores["longest_repetition"] == 0


def test_intervals_equal_those_of_resampled_texts():
    hypotheses, references = random_captions(15)
    scores = score(hypotheses, references, bootstrap_samples=40, seed=3)
    draws = np.random.default_rng(3).multinomial(15, np.full(15, 1 / 15), 40)
    resampled = []
    for counts in draws:
        rows = np.repeat(np.arange(15), counts)
        resampled.append(
            score([hypotheses[r] for r in rows], [references[r] for r in rows])
        )
    for name in BLEU:
        expected = np.percentile([result[name] for result in resampled], [2.5, 97.5])
        assert scores["intervals"][name] == pytest.approx(expected)


def test_intervals_hold_the_score_and_follow_the_confidence():
    hypotheses, references = random_captions(40)
    wide = score(hypotheses, references, bootstrap_samples=200)
    narrow = score(hypotheses, references, bootstrap_samples=200, confidence=0.5)
    assert set(BLEU) <= set(wide["intervals"])
    for name, (low, high) in wide["intervals"].items():
        assert low < narrow["intervals"][name][0] < wide[name]
        assert wide[name] < narrow["intervals"][name][1] < high
    assert score(hypotheses, references, bootstrap_samples=200) == wide
    assert "intervals" not in score(hypotheses, references)


def test_result_can_be_written_as_json():
    scores = score(["a dog"], [["a dog"]], bootstrap_samples=5)
    assert json.loads(json.dumps(scores)) == scores


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [], "at least one caption"),
        ("a dog", [["a"]] * 5, "a sequence of at least one"),
        (["a", "b"], [["a"]], "2 hypotheses, but references for 1"),
        (["a", "b"], [["a"], []], r"Image 1 needs .* not \[\]"),
        (["a"], ["a dog"], "Image 0 needs .* not 'a dog'"),
    ],
)
def test_bad_arguments(hypotheses, references, message):
    with pytest.raises(ValueError, match=message):
        score(hypotheses, references)
    with pytest.raises(ValueError, match="`meteor` must be"):
        score(["a"], [["a"]], meteor="2.0")


class _NoWordNet:
    def synsets(self, _):
        raise LookupError("Resource wordnet not found.")


def test_what_is_missing_is_said(monkeypatch, caplog):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(nltk.corpus, "wordnet", _NoWordNet())
    scores = score(["a dog"], [["a dog"]], meteor="auto")
    assert scores["meteor"] is None
    # These need nothing but this package.
    assert scores["rouge_l"] == pytest.approx(1) and scores["cider"] == 0
    assert scores["meteor_dialect"] is None
    assert scores["bleu_2"] == pytest.approx(1)
    assert set(scores["missing"]) == {"meteor"}
    assert 'pip install ".[coco]"' in scores["missing"]["meteor"]
    assert "nltk.downloader wordnet" in scores["missing"]["meteor"]


def test_where_java_fails_nltk_takes_over(monkeypatch):
    monkeypatch.setattr(
        meteor, "_meteor_15", lambda *_: (None, "METEOR 1.5 failed; it said so")
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(nltk.corpus, "wordnet", types.SimpleNamespace(synsets=str))
    monkeypatch.setattr(meteor, "meteor_score", lambda references, hypothesis: 0.5)
    scores = score(["a dog"], [["a dog"]], meteor="auto")
    assert (scores["meteor"], scores["meteor_dialect"]) == (0.5, meteor.METEOR_NLTK)
    monkeypatch.setattr(nltk.corpus, "wordnet", _NoWordNet())
    missing = score(["a dog"], [["a dog"]], meteor="auto")["missing"]["meteor"]
    assert "it said so" in missing and "nltk.downloader wordnet" in missing


def test_meteor_not_asked_for():
    scores = score(["a dog"], [["a dog"]])
    assert scores["meteor"] is None
    assert scores["missing"]["meteor"] == "not asked for"


def test_meteor_by_nltk(monkeypatch):
    class WordNet:
        def synsets(self, _):
            return []

    def meteor_score(references, hypothesis):
        return nltk.translate.meteor_score.meteor_score(
            references, hypothesis, wordnet=WordNet()
        )

    monkeypatch.setattr(nltk.corpus, "wordnet", WordNet())
    monkeypatch.setattr(meteor, "meteor_score", meteor_score)
    references = [["a dog runs on the mat"], ["a cat sits"]]
    scores = score(
        ["a dog runs in the park", "a cat sits"],
        references,
        meteor="nltk",
        bootstrap_samples=20,
    )
    # First: 4 of 6 words match, in 2 chunks: fmean 4/6, penalty 0.5 (2/4)^3.
    # Second: all 3, in one chunk: penalty 0.5 (1/3)^3.
    first, second = 4 / 6 * (1 - 0.5 / 8), 1 - 0.5 / 27
    assert scores["meteor"] == pytest.approx((first + second) / 2)
    assert scores["meteor_dialect"] == meteor.METEOR_NLTK
    low, high = scores["intervals"]["meteor"]
    assert low == pytest.approx(first)
    assert high == pytest.approx(second)


def test_broken_java_is_a_reason_and_no_crash(monkeypatch, tmp_path):
    pytest.importorskip("pycocoevalcap")
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("JAVA_TOOL_OPTIONS", raising=False)
    scores = score(["a dog"], [["a dog"]], meteor="1.5")
    assert scores["meteor"] is None
    assert "METEOR 1.5 failed" in scores["missing"]["meteor"]
    assert "JAVA_TOOL_OPTIONS" not in os.environ


def test_no_java_is_a_reason(monkeypatch, tmp_path):
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setenv("PATH", str(tmp_path))
    scores = score(["a dog"], [["a dog"]], meteor="1.5")
    assert "no `java` on the PATH" in scores["missing"]["meteor"]


@pytest.mark.slow
def test_meteor_15():
    pytest.importorskip("pycocoevalcap")
    if shutil.which("java") is None:
        pytest.skip("needs Java")
    references = [["a dog runs in the park"], ["deux chiens à côté ||| d'un arbre"]]
    hypotheses = ["a dog runs in the park", ""]
    scores = score(hypotheses, references, meteor="1.5", bootstrap_samples=50)
    assert scores["meteor_dialect"] == meteor.METEOR_15
    # The corpus score of one perfect caption and an empty one lies in between.
    assert 0 < scores["meteor"] < 1
    alone = score(hypotheses[:1], references[:1], meteor="1.5")
    assert alone["meteor"] == pytest.approx(1)
