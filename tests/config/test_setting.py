"""Settings: what one line says of a setting is what everybody sees of it."""

import dataclasses

import pytest

from annotator.config import (
    CaptionerSettings,
    Config,
    DataSettings,
    Setting,
    Settings,
    TaggerSettings,
    setting,
)
from annotator.config.setting import GROUPS


@dataclasses.dataclass(frozen=True)
class Small(Settings):
    width: int = setting(3, "Width.", group="data", least=1, most=4, free=True)
    share: float = setting(0.5, "Share.", group="data", least=0, below=1)
    rate: float = setting(1.0, "Rate.", group="data", above=0, exported=True)
    low: float | None = setting(None, "Low.", group="data", unset="any", least=2)
    sides: tuple[int, ...] = setting((1,), "Sides.", group="data", items="pixels")
    kinds: tuple[str, ...] = setting(
        ("a",), "Kinds.", group="data", choices=("a", "b", "c"), encoding=True
    )


def test_annotation_and_line_are_put_together():
    settings = Small.settings()
    assert list(settings) == ["width", "share", "rate", "low", "sides", "kinds"]
    low, sides = settings["low"], settings["sides"]
    assert (low.name, low.kind, low.optional, low.many) == ("low", float, True, False)
    assert (sides.kind, sides.optional, sides.many) == (int, False, True)
    assert (sides.default, Small().sides) == ((1,), (1,))
    assert isinstance(settings["width"], Setting)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width", 0, "--width must be 1 to 4, got 0."),
        ("width", 5, "--width must be 1 to 4, got 5."),
        ("share", 1.0, "--share must be from 0 to below 1, got 1.0."),
        ("share", float("nan"), "--share must be from 0 to below 1, got nan."),
        ("rate", 0.0, "--rate must be above 0, got 0.0."),
        ("low", 1.5, "--low must be 2 or more, got 1.5."),
        ("sides", (), "--sides needs pixels, got ()."),
        (
            "kinds",
            ("a", "x"),
            "--kinds takes any of a, b and c, or none alone; got a,x.",
        ),
    ],
)
def test_errors_name_flag_bound_and_value(name, value, message):
    with pytest.raises(ValueError) as caught:
        Small(**{name: value})
    assert str(caught.value) == message


def test_values_at_the_bounds_are_allowed():
    Small(width=4, share=0.0, rate=1e-9, low=2.0, kinds=())
    Small(width=1, low=None, kinds=("c", "a"))


def test_items_are_parsed_as_they_are_typed():
    sides, kinds = Small.settings()["sides"], Small.settings()["kinds"]
    assert sides.parse(["1", "2"]) == (1, 2)
    assert kinds.parse(["none"]) == () and kinds.parse(["a", "none"]) == ("a", "none")
    with pytest.raises(ValueError, match="--sides needs pixels, got 1,x"):
        sides.parse(["1", "x"])


def test_roles_are_listed():
    assert Small.free() == ("width",)
    assert Small.exported() == ("rate",)
    assert Small.encoding() == ("kinds",)
    assert TaggerSettings.exported() == (
        *("top_k", "threshold", "tag_precision", "tag_probability", "rank_by"),
    )
    assert CaptionerSettings.exported() == (
        "beams",
        "length_penalty",
        "rerank",
        "rerank_weight",
        "no_repeat_ngram",
    )
    assert DataSettings.exported() == ()
    assert Config.free() == (
        *("task", "data_dir", "cache_dir", "skip_bad_images", "keras_file"),
        "batch_size",
        *("checkpoint_steps", "jit_compile"),
    )
    assert set(Config.encoding()) == {
        *("backbone", "backbone_weights", "tap", "precision", "seed", "scales", "flip"),
        *("aspect", "resize_method", "descriptor_power", "components"),
    }


@pytest.mark.parametrize("name", Config.settings())
def test_every_setting_has_help_a_group_and_a_default_that_holds(name):
    each = Config.settings()[name]
    assert each.help[-1] == "." and each.group in GROUPS
    assert each.optional or each.default is not None
    each.validate(each.default)


def test_a_config_has_the_settings_of_its_three_parts():
    parts = (DataSettings, TaggerSettings, CaptionerSettings)
    names = [name for part in parts for name in part.settings()]
    assert names == list(Config.settings()) == list(Config().to_json())
    assert len(names) == len(set(names))
