"""--init_from: a captioner that starts from an earlier run's."""

import dataclasses

import numpy as np
import pytest

from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.runs.start import check_start, find_start
from annotator.training.captioner.fit import build_captioner
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.captioner.trainer import CaptionerTrainer
from annotator.training.run import train


@pytest.fixture
def starting(captioner_run, captioner_config):
    return dataclasses.replace(captioner_config, init_from=str(captioner_run[0]))


def test_before_the_first_step_it_says_what_the_earlier_one_says(
    starting, captioner_run, tmp_path, capsys
):
    run, old = Run(starting, tmp_path), Run.open(captioner_run[0])
    check_start(run.config)
    inputs = captioner_inputs(run)
    captioner = build_captioner(run, old.captioner().vocabulary)
    trainer = CaptionerTrainer(run, captioner, inputs)
    trainer.take_over(starting.init_from)
    assert "words are known, 0 are new" in capsys.readouterr().out
    (regions,) = old.split(CAPTIONER, "validation").regions(6)
    expected, found = old.captioner().generate(regions), captioner.generate(regions)
    np.testing.assert_array_equal(found["captions"], expected["captions"])
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=1e-5)


@pytest.mark.slow
def test_rewards_alone_begin_with_what_the_earlier_one_learned(starting, tmp_path):
    run = Run(
        dataclasses.replace(
            starting, epochs=0, feedback_start=0, self_critical_epochs=1
        ),
        tmp_path,
    )
    old = find_start(starting.init_from).captioner()
    captioner = build_captioner(run, old.vocabulary)
    trainer = CaptionerTrainer(run, captioner, captioner_inputs(run))
    trainer.take_over(starting.init_from)
    take_step, batches = trainer._begin_epoch(0, 0)
    for new, other in zip(captioner.weights, old.weights, strict=True):
        np.testing.assert_array_equal(new, other)
    words, shown = take_step(0, *next(iter(batches)))
    assert words > 0 and np.isfinite(shown["reward"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": 16}, "trained with --units=24, and this run has --units=16: say"),
        ({"decoder": "soft", "rounds": 0}, "--decoder=stacked.*--decoder=soft"),
        ({"layers": 3}, "--layers=2, and this run has --layers=3"),
        ({"attention_units": 6}, "--attention_units=12.*--attention_units=6"),
        ({"tied": True}, "--tied=false.*--tied=true"),
        ({"captioner_tap": "block3_conv1"}, "block4_conv2.*=block3_conv1"),
        ({"feedback": "causal"}, "--feedback=draft.*--feedback=causal"),
    ],
)
def test_what_must_agree_is_named_with_both_values(change, message, starting):
    with pytest.raises(ValueError, match=message):
        check_start(dataclasses.replace(starting, **change))


def test_what_is_no_start_is_named(starting, tagger_run, tmp_path):
    with pytest.raises(FileNotFoundError, match="--init_from=.* holds no run.*photos"):
        find_start(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="holds no trained captioner"):
        find_start(str(tagger_run[0]))
    check_start(dataclasses.replace(starting, init_from=None))


def test_what_is_no_start_is_named_before_images_are_read(
    captioner_config, tmp_path, monkeypatch
):
    def read(*_):
        raise AssertionError("images were read")

    monkeypatch.setattr(Run, "annotated", read)
    missing = str(tmp_path / "nowhere")
    config = dataclasses.replace(captioner_config, init_from=missing)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
