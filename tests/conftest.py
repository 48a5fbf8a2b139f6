"""A folder of drawn images with tags and captions, and models trained on it."""

import csv
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import sqlite3  # noqa: F401  (TensorFlow brings one without full-text search)

import numpy as np
import pytest
import threadpoolctl
from PIL import Image

from annotator import files
from annotator.config import Config

# As the commands compute, so that their numbers are those of the tests' own process.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Processes that share the cores take one each: threads that wait for each other's cores
# spin, which cost a tenth of the processor's time.
if "PYTEST_XDIST_WORKER" in os.environ:
    threadpoolctl.threadpool_limits(1)
    for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(_threads, "1")  # of the commands that tests start
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

COLORS = {"red": (220, 30, 30), "green": (30, 180, 60), "blue": (40, 60, 220)}


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory):
    """Keeps the notes of the tests' runs out of the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANNOTATOR_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Makes folders that all processes of the tests read, each once."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def made_once(name, make):
        folder = root / f"all_processes_{name}"
        with open(root / f"{name}.lock", "ab") as file:
            files.lock(file, f"{folder} is being made", wait=True)
            whole = folder / ".whole"
            if not whole.exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                whole.touch()
        return folder

    return made_once


@pytest.fixture(scope="session")
def train_once(made_once, tmp_path_factory):
    """Trains by settings, once for all processes.

    Returns `(workdir, metrics, exports)`, the workdir a copy of this process' own.
    """

    def train_once(name, config):
        from annotator.training.run import train

        def make(folder):
            metrics, _, exports = train(config, folder / "run")
            paths = [str(path.relative_to(folder / "run")) for path in exports]
            files.write_json(folder / "result.json", [metrics, paths])

        folder = made_once(name, make)
        workdir = tmp_path_factory.mktemp(name) / "run"
        shutil.copytree(folder / "run", workdir)
        metrics, paths = json.loads((folder / "result.json").read_text())
        return workdir, metrics, [workdir / path for path in paths]

    return train_once


@pytest.fixture(scope="session")
def image_folder(made_once):
    """36 images of one or two colors over noise, 24 of them for training."""
    return made_once("images", draw_images) / "drawn"


def draw_images(parent):
    folder = parent / "drawn"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(36):
        pixels = rng.integers(0, 60, (40, 48, 3)) + 90
        names = [list(COLORS)[i % 3]] + (
            [list(COLORS)[(i + 1) % 3]] if i % 4 == 0 else []
        )
        for name, left in zip(names, (0, 24), strict=False):
            pixels[:, left : left + 24] = COLORS[name]
        pixels = pixels + rng.integers(-20, 20, pixels.shape)
        Image.fromarray(np.uint8(pixels.clip(0, 255))).save(folder / f"{i}.png")
        split = "train" if i < 24 else "validation" if i < 30 else "test"
        rows.append((f"{i}.png", ";".join(names), split))
    with open(folder / "tags.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", "tags", "split"), *rows])
    with open(folder / "captions.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "caption", "split"))
        for image, names, split in rows:
            colors = names.replace(";", " beside ")
            writer.writerow((image, f"A wall of {colors} .", split))
            writer.writerow((image, f"{colors} all over", split))


@pytest.fixture(scope="session")
def tagger_config(image_folder, made_once):
    """Settings that train in seconds: VGG16 on 32 x 32 pixels, two views."""
    return Config(
        task="tagger",
        dataset="folder",
        data_dir=str(image_folder),
        cache_dir=str(made_once("cache", lambda folder: None)),
        keras_file=True,
        backbone_weights="random",
        tap="block4_conv2",
        precision="float32",
        scales=(32,),
        flip=True,
        batch_size=8,
        components=8,
        codebook=4,
        top_k=2,
    )


@pytest.fixture(scope="session")
def tagger_run(tagger_config, train_once):
    """`(workdir, metrics, exports)` of a finished training."""
    return train_once("tagger", tagger_config)


@pytest.fixture(scope="session")
def captioner_config(tagger_config):
    """Settings of a captioner that trains in seconds, with feedback from drafts."""
    return dataclasses.replace(
        tagger_config,
        task="captioner",
        captioner_tap="block4_conv2",
        min_count=1,
        max_length=8,
        layers=2,
        rounds=1,
        units=24,
        attention_units=12,
        dropout=0.1,
        epochs=3,
        caption_batch=6,
        caption_flip=False,
        learning_rate=0.01,
        checkpoint_steps=2,
        jit_compile=False,
        beams=2,
    )


@pytest.fixture(scope="session")
def captioner_run(captioner_config, train_once):
    """`(workdir, metrics, exports)` of a finished training."""
    return train_once("captioner", captioner_config)


@pytest.fixture(scope="session")
def load_export():
    """Loads a SavedModel by its folder, each once in this process."""
    import tensorflow as tf

    return functools.cache(tf.saved_model.load)


@pytest.fixture(scope="module")
def chromium():
    """A driver of Debian's browser, without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    from selenium.common import exceptions

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("needs Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    try:
        started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    except exceptions.WebDriverException as error:  # not every container may
        pytest.skip(f"{browser} does not start: {error.msg}")
    yield started
    started.quit()


@pytest.fixture
def stand_in(monkeypatch):
    """Makes `annotate` use a model of the test; returns the exports it asks for."""
    from annotator.annotation import run as annotation

    manifest = {"task": "tagger", "files": {"tagger.keras": "abc"}}
    exports = {"tagger": ("folder", manifest)}

    def use(model):
        monkeypatch.setattr(annotation, "find_exports", lambda paths: exports)
        load = lambda exports, **options: model  # noqa: E731
        monkeypatch.setattr(annotation.AnnotationModel, "load", load)
        return exports

    return use


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data sets; tests that need it are skipped without it."""
    folder = os.environ.get("ANNOTATOR_DATA")
    if not folder or not pathlib.Path(folder, "corel5k").is_dir():
        pytest.skip("set ANNOTATOR_DATA to a folder with corel5k/")
    return pathlib.Path(folder)
