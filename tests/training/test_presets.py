"""Presets: what a run says, from a small folder; and what is refused."""

import json
import shutil

import numpy as np
import pytest

import annotator
from annotator.annotation import preset_models
from annotator.annotation.model import AnnotationModel
from annotator.annotation.preset_models import preset_basis
from annotator.backbones.backbone import build_backbone
from annotator.export import preset
from annotator.export.compact import quantize
from annotator.export.versions import find_exports
from annotator.runs.run import Run
from annotator.runs.start import find_start
from annotator.training import exports
from annotator.training.exports import teaching_basis
from annotator.training.presets import save_preset


@pytest.fixture(scope="module")
def saved(captioner_run, tagger_run, tmp_path_factory):
    """A preset of a captioner and a tagger over random weights."""
    folder = tmp_path_factory.mktemp("presets") / "both"
    return save_preset(folder, tagger_run[0], captioner_run[0])


def test_heads_come_back_but_for_the_rounding(saved, captioner_run, tagger_run):
    manifest = preset.read_preset(saved)
    runs = {
        "captioner": Run.open(captioner_run[0]).captioner(),
        "tagger": Run.open(tagger_run[0]).tagger(),
    }
    for task, model in runs.items():
        arrays = preset.read_head(saved, task)
        built = preset.build_head(manifest["tasks"][task]["model"], arrays, task)
        assert [w.path for w in built.weights] == [w.path for w in model.weights]
        for ours, theirs in zip(built.weights, model.weights, strict=True):
            expected = np.asarray(theirs.value)
            if expected.ndim > 1 and expected.size >= 4096:
                codes, scale = quantize(expected)
                expected = codes * scale
            np.testing.assert_array_equal(np.asarray(ours.value), expected)


def test_it_names_no_place_of_the_machine_that_trained(saved, captioner_run):
    text = (saved / preset.PRESET).read_text(encoding="utf-8")
    assert str(captioner_run[0].parent) not in text
    (_, manifest), (_, other) = find_exports([saved]).values()
    # What the backbone of another network would be built of again.
    assert manifest["config"]["backbone_weights"] == str(saved / preset.BACKBONE)
    assert other["config"]["backbone_weights"] == str(saved / preset.BACKBONE)
    for path in preset.packaged().values():
        for facts in preset.read_preset(path)["tasks"].values():
            places = [v for v in facts["config"].values() if str(v).startswith("/")]
            assert places == []


@pytest.mark.slow
def test_it_describes_images_as_the_runs_do(
    saved, captioner_run, tagger_run, image_folder
):
    names = sorted(map(str, image_folder.glob("*.png")))[:8]
    ours = annotator.load(saved)(names)
    theirs = annotator.load([captioner_run[0], tagger_run[0]])(names)
    for one, other in zip(ours, theirs, strict=True):
        assert len(one.caption.split()) > 0
        # The random backbone is rounded to bfloat16 as well: near ties may turn.
        scores = [{tag.word: tag.score for tag in each.tags} for each in (one, other)]
        for word in scores[0].keys() & scores[1].keys():
            assert scores[0][word] == pytest.approx(scores[1][word], abs=0.3)
    best = [[each.tags[0].word for each in said] for said in (ours, theirs)]
    agreeing = sum(a == b for a, b in zip(*best, strict=True))
    assert agreeing >= 0.75 * len(ours)


def test_its_heads_read_one_network(saved, monkeypatch):
    built = []

    def build(*args):
        built.append(args)
        return build_backbone(*args)

    monkeypatch.setattr(preset_models, "build_backbone", build)
    exports = find_exports([saved])
    both = AnnotationModel.load(exports)
    assert len(built) == 1
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 40, 50, 3))
    regions = both.regions([resize(pixels) for resize in both.resizes])["tagger"]
    alone = AnnotationModel.load({"tagger": exports["tagger"]})
    own = alone.regions([resize(pixels) for resize in alone.resizes])["tagger"]
    np.testing.assert_array_equal(regions, own)


def test_its_tagger_can_be_taught(saved, tagger_run):
    manifest = preset.read_preset(saved)
    basis, own = preset_basis(saved, manifest), teaching_basis(Run.open(tagger_run[0]))
    assert basis.words == own.words
    vectors = np.load(tagger_run[0] / "tagger" / "vectors.npy")
    one, other = (each.whiten(vectors).astype(float) for each in (basis, own))
    # Where 24 images do not reach, the whitening finds nothing but the rounding.
    sizes = np.linalg.norm(other, axis=0)
    seen = sizes > 0.05 * sizes.max()
    one, other = one[:, seen], other[:, seen]
    assert np.linalg.norm(one - other) < 0.1 * np.linalg.norm(other)


def test_what_is_taught_by_is_not_fitted_again(tagger_run, monkeypatch):
    run = Run.open(tagger_run[0])
    fitted = exports._fitted_basis(run)
    monkeypatch.setattr(exports, "_fitted_basis", None)
    ours, theirs = vars(teaching_basis(run)), vars(fitted)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)
        assert np.asarray(ours[name]).dtype == np.asarray(value).dtype
    # Not where the export may be of another tagger.
    monkeypatch.setattr(exports, "library_versions", dict)
    with pytest.raises(TypeError, match="not callable"):
        teaching_basis(run)


def test_a_captioner_can_start_from_it(saved, captioner_run):
    ours, theirs = find_start(str(saved)), find_start(str(captioner_run[0]))
    assert ours.config.units == theirs.config.units
    words = ours.captioner().vocabulary.words
    assert words == theirs.captioner().vocabulary.words


def test_probabilities_come_with_it(saved, tagger_run):
    fitted = preset.read_preset(saved)["tasks"]["tagger"]["calibration"]
    slope, offsets = Run.open(tagger_run[0]).calibration().get_weights()
    assert fitted["slope"] == slope and fitted["offsets"] == offsets.tolist()


def test_the_backbone_is_stored_where_the_package_has_none(saved):
    manifest = preset.read_preset(saved)
    assert manifest["backbone_weights"] == preset.BACKBONE
    assert (saved / preset.BACKBONE).is_file()
    assert manifest["tasks"]["tagger"]["config"]["data_dir"] is None


def test_a_file_that_was_altered_or_lost_is_named(saved, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    with open(copy / "tagger.safetensors", "ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="tagger.safetensors is not the file"):
        annotator.load(copy)
    (copy / "tagger.safetensors").unlink()
    with pytest.raises(ValueError, match="tagger.safetensors is missing"):
        annotator.load(copy)
    manifest = json.loads((saved / preset.PRESET).read_text())
    (copy / preset.PRESET).write_text(json.dumps({**manifest, "format": 9}))
    with pytest.raises(ValueError, match="another version"):
        annotator.load(copy)
    manifest["files"] = {"../tagger.safetensors": "0"}
    (copy / preset.PRESET).write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="is missing"):
        annotator.load(copy)


def test_what_makes_no_preset_is_refused(tmp_path, tagger_run):
    with pytest.raises(ValueError, match="both hold a tagger"):
        save_preset(tmp_path, tagger_run[0], tagger_run[0])
    with pytest.raises(FileNotFoundError, match="holds no run"):
        save_preset(tmp_path, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="Name the workdir"):
        save_preset(tmp_path)


def test_names_of_presets(saved):
    with pytest.raises(ValueError, match="no preset 'pictures'; there are"):
        annotator.load(preset="pictures")
    with pytest.raises(ValueError, match="a path or a preset, not"):
        annotator.load(saved, preset="photos")
