"""The configuration: what is refused, what suits what, what `config.json` may hold."""

import dataclasses
import json
import pathlib

import pytest

from annotator.config import Config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 0) for name in ("epochs", "caption_batch", "batch_size", "beams")),
        *((name, 0) for name in ("checkpoint_steps", "layers", "max_length")),
        *((name, -1) for name in ("rounds", "top_k", "patience", "feedback_start")),
        *(("dropout", 1.0), ("dropout", float("nan")), ("learning_rate", 0.0)),
        *(("scales", ()), ("scales", (224, 0)), ("self_critical_samples", 1)),
        *(("layers", 0), ("layers", 7), ("shrinkage", 0.0), ("lift", -0.1)),
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


def test_rewards_alone_need_a_captioner_to_start_from():
    start = {"init_from": "runs/old", "self_critical_epochs": 2}
    config = Config.for_dataset("flickr8k", epochs=0, rounds=1, **start)
    assert (config.epochs, config.feedback_start) == (0, 0)
    for missing in start:
        with pytest.raises(ValueError, match="--epochs=0 learns no captions"):
            Config(epochs=0, **{k: v for k, v in start.items() if k != missing})


@pytest.mark.parametrize("name", ["init_from", "distill"])
def test_an_ensemble_trains_nothing(name):
    with pytest.raises(ValueError, match=f"--ensemble trains nothing, so --{name}"):
        Config(ensemble=("a", "b"), **{name: "c"})


def test_what_attention_alone_has_is_refused_elsewhere():
    for name, value in {"context_dropout": 0.1, "condition": "vector"}.items():
        with pytest.raises(ValueError, match=f"no attention, so --{name}={value}"):
            Config(decoder="nic", **{name: value})
        Config(decoder="hard", **{name: value})


def test_feedback_needs_attention_to_steer():
    for decoder in ("nic", "brnn", "log_bilinear"):
        with pytest.raises(ValueError, match=f"--decoder={decoder} has no attention"):
            Config(decoder=decoder, rounds=1, feedback="causal")
        Config(decoder=decoder, rounds=1)
    Config(decoder="soft", rounds=1, feedback="causal")


def test_defaults_that_suit():
    shapes = {
        backbone: Config.for_dataset("shapes", backbone=backbone).backbone_weights
        for backbone in (None, "vgg16", "vgg19", "resnet50")
    }
    # What comes with the package, and no download.
    assert list(shapes.values()) == ["imagenet", "imagenet", "random", "random"]
    assert Config.for_dataset("corel5k", seed=None).backbone_weights == "imagenet"
    assert Config.for_dataset("shapes", scales=(64,)).scales == (64,)
    assert Config.for_dataset("shapes", backbone="vgg19").tap == "block4_pool"
    assert Config.for_dataset("shapes").tag_probability == 0.5
    for other in ("threshold", "tag_precision"):
        config = Config.for_dataset("shapes", **{other: 0.5})
        assert config.tag_probability is None and config.top_k == 0
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


def test_choices_are_checked_and_suggested():
    with pytest.raises(ValueError, match="--tagger.*svm"):
        Config(tagger="svm")
    with pytest.raises(ValueError, match=r"'stack'\. Did you mean stacked\?"):
        Config(decoder="stack")
    with pytest.raises(
        ValueError, match=r"Unknown backbone 'vgg17'\. Did you mean vgg"
    ):
        Config(backbone="vgg17")
    with pytest.raises(ValueError, match=r"'corel'.*Did you mean corel5k\?"):
        Config(dataset="corel")
    Config(backbone="MobileNet_V2", dataset="tfds:any/thing")


def test_one_view_schemes_refuse_several():
    for tagger in ("mbrm", "finetuned"):
        for settings in ({"scales": (64, 96)}, {"flip": True}):
            with pytest.raises(ValueError, match=f"--tagger={tagger} reads one view"):
                Config(tagger=tagger, **settings)
    with pytest.raises(ValueError, match="--tagger=finetuned has no means that --ext"):
        Config(tagger="finetuned", extend="w")


def test_a_captioner_is_not_extended_but_may_stand_beside_a_tagger_that_was():
    for task in ("all", "captioner"):
        config = Config(task=task, extend="runs/old")  # as the folder keeps it
        with pytest.raises(ValueError, match=f"of --task={task} would know nothing of"):
            config.check_request()
    Config(task="tagger", extend="runs/old").check_request()
    Config().check_request()


@pytest.mark.parametrize(
    ("split", "held_out"),
    [
        *(("train", True), ("train+test", True), ("train[:50%]", True)),
        *(("train+validation", False), ("validation", False), ("train+val", False)),
        ("train+validation[:50%]", False),
    ],
)
def test_validation_selects_unless_it_is_learned(split, held_out):
    assert Config(train_split=split).holds_out_validation is held_out


@pytest.mark.parametrize("split", ["", "train+", "train+train"])
def test_splits_to_learn_are_named_once_each(split):
    with pytest.raises(ValueError, match="--train_split must be a split, or several"):
        Config(train_split=split)


def test_vectors_are_compared_by_what_made_them():
    means = Config(codebook=8)
    assert means.different_encoding(Config(codebook=8, tagger="jec", top_k=1)) is None
    assert means.different_encoding(Config()) == "codebook"
    assert means.different_encoding(Config(codebook=8, seed=1)) == "seed"
    mbrm = Config(tagger="mbrm")
    assert mbrm.different_encoding(means) == means.different_encoding(mbrm) == "tagger"
    assert mbrm.different_encoding(Config(tagger="mbrm", codebook=8)) is None
    assert mbrm.different_encoding(Config(tagger="mbrm", grid=2)) == "grid"


def test_json_round_trip():
    config = Config(scales=(64, 96), vlad=(), threshold=0.5, extend="w", flip=True)
    text = json.dumps(config.to_json())
    assert Config.from_json(json.loads(text), "f") == config
    assert not any(isinstance(value, dict) for value in config.to_json().values())


def test_the_file_of_version_0_1_loads():
    path = pathlib.Path(__file__).parent / "config_0_1.json"
    values = json.loads(path.read_text())
    config = Config.from_json(values, str(path))
    assert config.dataset == "shapes" and config.units == 192
    assert {name: config.to_json()[name] for name in values} == {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }


def test_json_of_other_versions():
    before = Config(  # as there was none
        covariance=0, lift=0.0, rerank=False, descriptor_power=1.0
    )
    assert Config.from_json({}, "f") == before
    three = dataclasses.replace(before, layers=3)
    assert Config.from_json({"layers": 3}, "f") == three
    with pytest.raises(ValueError, match=r"w/f .*'layer'.*Did you mean layers\?"):
        Config.from_json({"layer": 3}, "w/f")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "w/f holds no settings"),
        ({"layers": "3"}, "w/f: --layers must be of type int, got '3'"),
        ({"layers": True}, "w/f: --layers must be of type int, got True"),
        ({"layers": None}, "w/f: --layers must be of type int, got None"),
        ({"layers": 9}, "w/f: --layers must be 1 to 6, got 9"),
        ({"scales": 224}, "w/f: --scales must be of type list of int, got 224"),
        ({"flip": 1}, "w/f: --flip must be of type bool, got 1"),
        ({"tap": 1}, "w/f: --tap must be of type str, got 1"),
    ],
)
def test_wrong_json_names_the_file_and_the_setting(values, message):
    with pytest.raises(ValueError, match=message):
        Config.from_json(values, "w/f")


def test_whole_numbers_are_numbers():
    values = {"dropout": 0, "threshold": 1, "tap": None}
    assert Config.from_json(values, "f").threshold == 1
