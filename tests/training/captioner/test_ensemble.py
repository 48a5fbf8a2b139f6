"""--ensemble: the captioner of a run, of trained ones that write together."""

import dataclasses
import types

import keras
import numpy as np
import pytest

import annotator
from annotator.captioner import Vocabulary
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.runs.start import check_start
from annotator.training.captioner import ensemble as joined
from annotator.training.captioner.fit import train_captioner
from annotator.training.presets import save_preset
from annotator.training.run import train


@pytest.fixture
def joining(captioner_run, captioner_config):
    workdir = str(captioner_run[0])
    return dataclasses.replace(captioner_config, ensemble=(workdir, workdir))


@pytest.mark.slow
def test_equal_members_write_what_each_writes(joining, captioner_run, tmp_path):
    run, member = Run(joining, tmp_path), Run.open(captioner_run[0])
    check_start(run.config)
    train_captioner(run)
    assert run.is_trained(CAPTIONER)
    (regions,) = member.split(CAPTIONER, "validation").regions(6)
    expected, found = (each.captioner().generate(regions) for each in (member, run))
    for name in ("captions", "scores", "n_best_scores"):
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.slow
def test_it_is_scored_exported_and_saved_like_any_other(
    joining, captioner_run, image_folder, tmp_path
):
    metrics, _, exports = train(joining, tmp_path / "run")
    ours, theirs = (dict(each) for each in (metrics, captioner_run[1]))
    # A mean of equal numbers may be rounded.
    error = ours.pop("caption_reliability")["calibration_error"]
    expected = theirs.pop("caption_reliability")["calibration_error"]
    assert error == pytest.approx(expected, rel=1e-3)
    assert ours == theirs
    save_preset(tmp_path / "preset", tmp_path / "run")
    photos = [str(image_folder / f"{i}.png") for i in (24, 29)]
    found, expected, small = (
        [each.caption for each in annotator.load(str(path))(photos)]
        for path in (tmp_path / "run", captioner_run[0], tmp_path / "preset")
    )
    assert found == expected and all(small)
    assert all(path.exists() for path in exports)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captioner_tap": "block3_conv1"}, "=block4_conv2, and .*=block3_conv1: say"),
        ({"scales": (48,)}, "trained with --scales=32, and this run has --scales=48"),
        ({"backbone_weights": "imagenet"}, "=random.*=imagenet"),
        ({"aspect": "center_crop"}, "--aspect=squash.*--aspect=center_crop"),
    ],
)
def test_members_that_read_other_regions_are_named(change, message, joining):
    with pytest.raises(ValueError, match=f"--ensemble=.*{message}"):
        check_start(dataclasses.replace(joining, **change))


@pytest.mark.parametrize(
    ("words", "precision", "message"),
    [
        (["dog", "runs"], "float32", "the first knows 6 words, the other 6, and they"),
        (["runs", "dog"], "mixed_bfloat16", "in float32, the other in mixed_bfloat16"),
    ],
)
def test_members_that_differ_are_named(
    words, precision, message, joining, tmp_path, monkeypatch
):
    members = [
        types.SimpleNamespace(
            vocabulary=Vocabulary(words), dtype_policy=keras.DTypePolicy(policy)
        )
        for words, policy in ((["runs", "dog"], "float32"), (words, precision))
    ]
    starts = iter(types.SimpleNamespace(captioner=lambda m=m: m) for m in members)
    monkeypatch.setattr(joined, "find_start", lambda name, flag: next(starts))
    with pytest.raises(ValueError, match=f"--ensemble=.*{message}"):
        joined.join_captioners(Run(joining, tmp_path))
