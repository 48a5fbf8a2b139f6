"""How probable a run's captions are: fitted to validation, told of by its scores."""

import dataclasses
import json

import pytest

from annotator.captioner import fit_word_probability
from annotator.evaluation import captioning
from annotator.metrics.caption_words import said_words
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.training.captioner.word_probability import fit_run_word_probability


def test_it_is_fitted_to_the_captions_that_are_scored(captioner_run, captioner_config):
    run = Run(captioner_config, captioner_run[0])
    said = captioning.describe_split(run, "validation")
    assert captioning.describe_split(run, "validation") is said  # not asked again
    path = captioner_run[0] / "metrics" / "validation_captions.json"
    written = json.loads(path.read_text())
    assert said.captions == [each["caption"] for each in written]
    references = run.split(CAPTIONER, "validation").annotated.captions
    hits, words = said_words(said.captions, references).content_hits()
    expected = fit_word_probability(said.mean_log_probs, hits, words).get_config()
    assert vars(run.word_probability()) == pytest.approx(expected, rel=1e-3)
    assert vars(run.captioner().word_probability) == vars(run.word_probability())


@pytest.mark.parametrize(
    "change", [{"beams": 3}, {"length_penalty": 0.0}, {"rerank": False}]
)
def test_other_captions_are_not_told_of(change, captioner_run, captioner_config):
    config = dataclasses.replace(captioner_config, **change)
    assert Run(config, captioner_run[0]).word_probability() is None


def test_learned_images_tell_nothing(captioner_config, tmp_path, capsys):
    both = "train+validation"
    run = Run(dataclasses.replace(captioner_config, train_split=both), tmp_path)
    fit_run_word_probability(run)
    assert f"--train_split={both} learns the others" in capsys.readouterr().out
    assert run.word_probability() is None and not list(tmp_path.iterdir())
