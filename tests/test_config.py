"""Settings: what is refused, what suits what, and which run a folder belongs to."""

import dataclasses

import pytest

from annotator.config import Config


def test_round_trip_and_errors(tmp_path):
    config = Config(scales=(64, 96), vlad=("intra",), threshold=0.5)
    config.claim(tmp_path)
    assert Config.load(tmp_path) == config
    with pytest.raises(FileNotFoundError, match="holds no run"):
        Config.load(tmp_path / "elsewhere")
    (tmp_path / "config.json").write_text('{"color": 1}')
    with pytest.raises(ValueError, match="color"):
        Config.load(tmp_path)
    with pytest.raises(ValueError, match="--tagger.*svm"):
        Config(tagger="svm")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 0) for name in ("epochs", "caption_batch", "batch_size", "beams")),
        *((name, 0) for name in ("checkpoint_steps", "layers", "max_length")),
        *((name, -1) for name in ("rounds", "top_k", "patience", "feedback_start")),
        *(("dropout", 1.0), ("dropout", float("nan")), ("learning_rate", 0.0)),
        *(("scales", ()), ("scales", (224, 0)), ("self_critical_samples", 1)),
        *(("layers", 0), ("layers", 7), ("shrinkage", 0.0)),
        *(("seed", -1), ("batch_size", 48), ("patience", 0), ("bandwidth", 0.0)),
    ],
)
def test_numbers_that_cannot_work_are_named(name, value):
    with pytest.raises(ValueError, match=f"--{name}"):
        Config(**{name: value})


def test_feedback_needs_an_epoch_to_learn_in():
    assert Config(feedback_start=12).rounds == 0
    with pytest.raises(ValueError, match="--feedback_start=12 leaves none of --epochs"):
        Config(rounds=1, feedback_start=12)
    Config(task="tagger", rounds=1, feedback_start=12)


def test_feedback_needs_attention_to_steer():
    for decoder in ("nic", "brnn", "log_bilinear"):
        with pytest.raises(ValueError, match=f"--decoder={decoder} has no attention"):
            Config(decoder=decoder, rounds=1, feedback="causal")
        Config(decoder=decoder, rounds=1)
    Config(decoder="soft", rounds=1, feedback="causal")


def test_defaults_that_suit():
    assert Config.for_dataset("shapes").backbone_weights == "random"
    assert Config.for_dataset("corel5k", seed=None).backbone_weights == "imagenet"
    assert Config.for_dataset("shapes", scales=(64,)).scales == (64,)
    assert Config.for_dataset("shapes", backbone="vgg19").tap == "block4_conv3"
    resnet = Config.for_dataset("shapes", backbone="resnet50", captioner_tap="x")
    assert (resnet.tap, resnet.captioner_tap) == (None, "x")
    paper = Config.for_dataset("flickr8k", schedule="paper")
    assert (paper.layers, paper.rounds, paper.epochs) == (4, 1, 100)
    # The baselines come as published, without the feedback.
    for decoder in ("soft", "hard", "nic", "log_bilinear", "brnn"):
        for dataset in ("flickr8k", "shapes"):
            assert Config.for_dataset(dataset, decoder=decoder).rounds == 0
        assert Config.for_dataset("flickr8k", decoder=decoder, rounds=2).rounds == 2
    for feedback in ("draft", "causal"):
        chosen = {"feedback": feedback}
        assert Config.for_dataset("flickr8k", **chosen).rounds == 1
        assert Config.for_dataset("flickr8k", **chosen, rounds=0).rounds == 0
    assert Config.for_dataset("flickr8k", epochs=1).feedback_start == 0
    assert Config.for_dataset("flickr8k", epochs=2).feedback_start == 1


def claimed(workdir, config, *made):
    config.claim(workdir)
    for name in made:
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).touch()


def refused(workdir, config, **settings):
    """The settings in the way of a run with other `settings`, if they are refused."""
    try:
        dataclasses.replace(config, **settings).claim(workdir)
    except ValueError as error:
        assert Config.load(workdir) == config
        return str(error)
    config.claim(workdir)
    return ""


def test_settings_that_led_nowhere_bind_nobody(tmp_path):
    config = Config()
    claimed(tmp_path, config, "captioner/vocabulary.json", "tagger/.7.encoder.npz")
    assert not refused(tmp_path, config, layers=3, codebook=4, dataset="flickr8k")


def test_a_task_that_has_begun_is_bound_and_the_other_is_not(tmp_path):
    config = Config(vlad=())
    claimed(tmp_path, config, "tagger/encoder.npz")
    assert not refused(tmp_path, config)
    assert not refused(tmp_path, config, layers=3, beams=3, task="tagger")
    assert "--codebook=16" in refused(tmp_path, config, codebook=4)
    assert "--scales=(224,)" in refused(tmp_path, config, scales=(96,))
    assert "--top_k=5" in refused(tmp_path, config, top_k=3)


def test_a_task_that_is_not_asked_for_keeps_its_settings(tmp_path):
    config = Config(task="tagger", top_k=3, threshold=0.1, codebook=4)
    claimed(tmp_path, config, "tagger/tagger.keras")
    Config(task="captioner", layers=3).claim(tmp_path)
    kept = Config.load(tmp_path)
    assert kept == dataclasses.replace(config, task="captioner", layers=3)
    assert "--scales=(224,)" in refused(tmp_path, kept, scales=(96,))


def test_a_finished_run_may_be_decoded_otherwise(tmp_path):
    config = Config()
    claimed(tmp_path, config, "tagger/tagger.keras", "captioner/best.weights.h5")
    assert not refused(tmp_path, config, top_k=3)
    assert "--beams=5" in refused(tmp_path, config, beams=3)
    claimed(tmp_path, config, "captioner/captioner.keras")
    assert not refused(tmp_path, config, beams=3, length_penalty=1.0)
    assert "--layers=2" in refused(tmp_path, config, layers=3)


def test_what_decides_no_result_may_change(tmp_path):
    config = Config(task="tagger", data_dir="here")
    claimed(tmp_path, config, "tagger/encoder.npz")
    moved = dataclasses.replace(
        config, data_dir="there", skip_bad_images=True, batch_size=8, jit_compile=False
    )
    moved.claim(tmp_path)
    assert Config.load(tmp_path) == moved
