"""Schemes: the ways to tag are known in one place."""

from annotator.config import SCHEMES, Config
from annotator.training.tagger import scores


def test_schemes():
    assert Config.settings()["tagger"].choices == tuple(SCHEMES)
    assert all(name == scheme.name for name, scheme in SCHEMES.items())
    assert Config(tagger="2pknn").scheme is SCHEMES["2pknn"]

    def names(attribute):
        return {name for name, each in SCHEMES.items() if getattr(each, attribute)}

    assert names("one_view") == {"mbrm", "finetuned"}
    assert names("trains_backbone") == {"finetuned"}
    assert names("extendable") == set(SCHEMES) - {"finetuned"}
    assert {name: each.pooling for name, each in SCHEMES.items()} == {
        **dict.fromkeys(("means", "jec", "2pknn"), "vlad"),
        **{"mbrm": "grid", "finetuned": None},
    }


def test_their_settings_exist():
    for scheme in SCHEMES.values():
        assert set(scheme.encoding) <= set(Config.settings())
        assert bool(scheme.encoding) is bool(scheme.pooling)


def test_each_scheme_that_is_fitted_has_a_fit():
    fitted = {name for name, scheme in SCHEMES.items() if scheme.pooling}
    assert set(scores.FITS) == fitted
