"""Flags of the settings: types, choices and defaults come from the settings."""

import pytest
from absl import flags as absl_flags

from annotator.config import Config, flags


def parse(*arguments):
    """The `Config` that arguments ask for."""
    values = absl_flags.FlagValues()

    def add(define, name, default, help, note, **options):
        define(name=name, default=default, help=help, flag_values=values, **options)

    for _, settings in flags.groups():
        for setting in settings:
            flags.define(setting, add)
    values(["program", *arguments])
    return flags.config(values)


def test_without_flags_the_defaults_suit_the_data_set():
    assert parse() == Config.for_dataset("shapes")
    assert parse("--dataset=corel5k", "--schedule=paper") == Config.for_dataset(
        "corel5k", schedule="paper"
    )


def test_flags_of_every_type():
    config = parse(
        *("--flip", "--nojit_compile", "--scales=64,96", "--vlad=none", "--units=7"),
        *("--dropout=0", "--tap=x", "--threshold=0.25", "--decoder=soft"),
    )
    assert config == Config.for_dataset(
        "shapes",
        flip=True,
        jit_compile=False,
        scales=(64, 96),
        vlad=(),
        units=7,
        dropout=0.0,
        tap="x",
        threshold=0.25,
        decoder="soft",
    )
    assert type(config.dropout) is float


def test_what_is_given_counts_even_if_it_is_the_default():
    assert parse("--units=512").units == 512 != parse().units
    assert parse("--caption_flip").caption_flip and not parse().caption_flip


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--scales=x", "--scales needs sides in pixels, got x"),
        ("--scales=", "--scales needs sides in pixels"),
        ("--epochs=-1", "--epochs must be 0 or more, got -1"),
        ("--epochs=0", "--epochs=0 learns no captions: say 1 or more, or --init_from"),
        ("--vlad=none,l2", "none alone; got none,l2"),
        ("--vlad=mean,l2", "--vlad=mean stands alone, got mean,l2"),
    ],
)
def test_errors_name_the_flag(argument, message):
    with pytest.raises(ValueError, match=message):
        parse(argument)


@pytest.mark.parametrize("task", [(), ("--task=all",), ("--task=captioner",)])
def test_a_captioner_cannot_be_extended(task):
    with pytest.raises(ValueError, match="--task=tagger with --extend, and --task=cap"):
        parse("--extend=runs/old", *task)
    assert parse("--extend=runs/old", "--task=tagger").extend == "runs/old"


def test_every_setting_is_in_one_group():
    groups = list(flags.groups())
    assert [name for name, _ in groups] == [
        *("data", "backbone", "tagger", "captioner", "training", "decoding")
    ]
    names = [setting.name for _, settings in groups for setting in settings]
    assert sorted(names) == sorted(Config.settings())


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("units", "1 or more; default: 512; shapes: 128"),
        ("layers", "1 to 6; default: 2; --schedule=paper: 4"),
        ("flip", "default: false"),
        ("scales", "default: 224; shapes: 80"),
        ("vlad", "any of bow, power, intra, l2, mean; default: power,l2"),
        ("schedule", "one of cosine, paper; default: cosine"),
        ("data_dir", "default: $ANNOTATOR_DATA/DATASET"),
        ("threshold", ""),
        ("caption_batch", "1 or more; default: 16; shapes: 8"),
    ],
)
def test_help_shows_choices_bounds_and_defaults(name, note):
    assert flags.note(Config.settings()[name]) == note
