"""The settings in a workdir: which run a folder belongs to."""

import dataclasses
import json
import pathlib
import shutil

import pytest

from annotator.config import Config
from annotator.runs import settings_file


def test_round_trip_and_errors(tmp_path):
    config = Config(scales=(64, 96), vlad=("intra",), threshold=0.5)
    settings_file.claim(config, tmp_path)
    assert settings_file.load(tmp_path) == config
    with pytest.raises(FileNotFoundError, match="holds no run"):
        settings_file.load(tmp_path / "elsewhere")
    (tmp_path / "config.json").write_text('{"color": 1}')
    with pytest.raises(ValueError, match="color"):
        settings_file.load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json is not a JSON file"):
        settings_file.load(tmp_path)


def claimed(workdir, config, *made):
    settings_file.claim(config, workdir)
    for name in made:
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).touch()


def refused(workdir, config, **settings):
    """The settings in the way of a run with other `settings`, if they are refused."""
    try:
        settings_file.claim(dataclasses.replace(config, **settings), workdir)
    except ValueError as error:
        assert settings_file.load(workdir) == config
        return str(error)
    settings_file.claim(config, workdir)
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
    settings_file.claim(Config(task="captioner", layers=3), tmp_path)
    kept = settings_file.load(tmp_path)
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
    settings_file.claim(moved, tmp_path)
    assert settings_file.load(tmp_path) == moved


def test_a_run_of_version_0_1_goes_on(tmp_path):
    old = pathlib.Path(__file__).parents[1] / "config" / "config_0_1.json"
    shutil.copy(old, tmp_path / "config.json")
    (tmp_path / "captioner").mkdir()
    (tmp_path / "captioner" / "best.weights.h5").touch()
    # What suited these scenes then is in the file.
    config = Config.from_json(json.loads(old.read_text()), str(old))
    settings_file.claim(config, tmp_path)
    # It is as it was, but for the settings that there were not then.
    now = json.loads((tmp_path / "config.json").read_text())
    then = json.loads(old.read_text())
    assert {name: now[name] for name in then} == then
    added = {name: value for name, value in now.items() if name not in then}
    assert added["train_split"] == "train"
    known, default = Config.settings(), json.loads(json.dumps(Config().to_json()))
    before = {n: known[n].before for n in added if known[n].before is not None}
    assert added == {name: default[name] for name in added} | before
    assert before == {
        "descriptor_power": 1.0,
        "covariance": 0,
        "lift": 0.0,
        "rerank": False,
    }
    assert "--units=192" in refused(tmp_path, config, units=64)
