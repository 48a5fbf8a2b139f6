"""Extraction: exact, resumable, verified, and clear about bad images."""

import concurrent.futures
import shutil
import threading
import time

import numpy as np
import pytest

from annotator import datasets, files
from annotator.backbones.backbone import build_backbone
from annotator.features import extraction, shards
from annotator.features.cache import CorruptCacheError, FeatureCache
from annotator.features.extraction import BadImageError
from annotator.images.decode import decode_image
from annotator.images.resize import Resize

TAP = "block2_conv1"
RESIZE = Resize(16)


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("vgg16", TAP, "random", "float32")


@pytest.fixture
def annotated(image_folder):
    return datasets.load("folder", "train", data_dir=str(image_folder))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 8)


def extract(annotated, backbone, cache_dir, **options):
    return extraction.extract(
        annotated, RESIZE, backbone, TAP, cache_dir, batch_size=4, **options
    )


def test_rows_are_the_maps_of_the_images(annotated, backbone, tmp_path):
    cache = extract(annotated, backbone, tmp_path)
    assert (len(cache), cache.shape, cache.bad) == (24, (8, 8, 128), {})
    rows = [17, 3, 23, 0]
    encoded = [e for _, e in annotated.encoded_images().as_numpy_iterator()]
    pixels = [RESIZE(decode_image(encoded[row])) for row in rows]
    expected = backbone(np.stack(pixels))[TAP].numpy()
    np.testing.assert_allclose(cache.gather(rows), expected, atol=0.05)
    regions = cache.regions(rows)
    assert regions.shape == (4, 64, 128) and regions.dtype == np.float16
    np.testing.assert_array_equal(regions[1, 9], cache.gather(rows)[1, 1, 1])


class Killed(BaseException):
    """Stands for SIGKILL: nothing may handle it."""


@pytest.mark.parametrize("survives", [0, 1, 2])
def test_continues_where_it_was_killed(
    survives, annotated, backbone, tmp_path, monkeypatch
):
    undisturbed = extract(annotated, backbone, tmp_path / "a")
    write_shard, written = shards.write_shard, []

    def write_then_die(*args):
        if len(written) == survives:
            raise Killed
        written.append(write_shard(*args))

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(shards, "write_shard", write_then_die)
        extract(annotated, backbone, tmp_path / "b")
    starts = []
    encoded_images = datasets.AnnotatedImages.encoded_images
    monkeypatch.setattr(
        datasets.AnnotatedImages,
        "encoded_images",
        lambda self, start=0: starts.append(start) or encoded_images(self, start),
    )
    continued = extract(annotated, backbone, tmp_path / "b")
    assert starts == [8 * survives]
    np.testing.assert_array_equal(
        continued.gather(range(24)), undisturbed.gather(range(24))
    )


def test_continues_when_killed_before_the_cache_is_called_finished(
    annotated, backbone, tmp_path, monkeypatch
):
    write_json = files.write_json

    def write_or_die(path, manifest):
        if manifest["finished"]:
            raise Killed
        write_json(path, manifest)

    # The last shard is not a full one.
    rows = annotated.select(range(20))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(files, "write_json", write_or_die)
        extract(rows, backbone, tmp_path)
    cache = extract(rows, backbone, tmp_path)
    assert len(FeatureCache.open(cache.directory)) == 20


def test_finished_cache_runs_nothing(annotated, backbone, tmp_path, monkeypatch):
    extract(annotated, backbone, tmp_path)
    monkeypatch.setattr(extraction, "_complete", None)
    assert len(extract(annotated, backbone, tmp_path)) == 24


def test_what_a_kill_cut_off_is_removed(annotated, backbone, tmp_path):
    directory = extract(annotated, backbone, tmp_path).directory
    left = directory / ".annotator-0123456789abcdef.shard-00002.npy"
    for path in (left, directory / ".note", directory / "shard-00001.npy"):
        path.write_bytes(b"cut off")
    assert len(extract(annotated, backbone, tmp_path)) == 24
    assert {path.name for path in directory.iterdir()} == {
        ".lock",
        ".note",
        "manifest.json",
        "shard-00000.npy",
        "shard-00001.npy",
        "shard-00002.npy",
    }


def test_two_at_a_time_share_the_work(annotated, backbone, tmp_path, monkeypatch):
    """The second waits for the first and finds what it made."""
    write_shard, written = shards.write_shard, []

    def write_slowly(*args):
        written.append(threading.get_ident())
        time.sleep(0.1)
        write_shard(*args)

    monkeypatch.setattr(shards, "write_shard", write_slowly)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        caches = list(
            pool.map(lambda _: extract(annotated, backbone, tmp_path), range(2))
        )
    assert len(written) == 3 and len(set(written)) == 1
    first, second = (cache.gather(range(24)) for cache in caches)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("damage", ["flip a bit", "cut", "remove"])
def test_altered_shard_is_found_and_made_anew(damage, annotated, backbone, tmp_path):
    cache = extract(annotated, backbone, tmp_path)
    expected = cache.gather(range(24))
    shard = cache.directory / "shard-00001.npy"
    content = bytearray(shard.read_bytes())
    shard.unlink()
    if damage == "flip a bit":
        content[-7] ^= 1
        shard.write_bytes(content)
    elif damage == "cut":
        shard.write_bytes(content[:-9])
    with pytest.raises(CorruptCacheError, match=r"Shards \[1\]"):
        FeatureCache.open(cache.directory)
    again = extract(annotated, backbone, tmp_path)
    np.testing.assert_array_equal(again.gather(range(24)), expected)


def test_whatever_changes_the_maps_changes_the_folder(annotated, backbone, tmp_path):
    two = annotated.select([0, 1])

    def folder(annotated=two, resize=RESIZE, backbone=backbone):
        cache = extraction.extract(
            annotated, resize, backbone, TAP, tmp_path, batch_size=4
        )
        return cache.directory

    others = [
        folder(annotated=annotated.select([1, 0])),
        folder(resize=Resize(16, flip=True)),
        folder(resize=Resize(20)),
        folder(backbone=build_backbone("vgg16", TAP, "random", "float32", seed=5)),
        folder(backbone=build_backbone("vgg16", TAP, "random", "bfloat16")),
    ]
    assert len({folder(), *others}) == 6


def test_bad_images_are_all_named_or_skipped(image_folder, backbone, tmp_path):
    folder = tmp_path / "images"
    shutil.copytree(image_folder, folder)
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:100])
    (folder / "9.png").write_text("not an image")
    annotated = datasets.load("folder", "train", data_dir=str(folder))
    with pytest.raises(BadImageError) as error:
        extract(annotated, backbone, tmp_path)
    message = str(error.value)
    assert "2 of 24" in message and "--skip_bad_images" in message
    assert "3.png" in message and "9.png: " in message
    cache = extract(annotated, backbone, tmp_path, skip_bad_images=True)
    bad = {annotated.image_ids[row]: row for row in cache.bad}
    assert set(bad) == {"3.png", "9.png"}
    assert not cache.gather(list(bad.values())).any()
    good = np.setdiff1d(np.arange(24), list(bad.values()))
    assert cache.gather(good).any(axis=(1, 2, 3)).all()


def test_why_a_file_cannot_be_read_is_said_and_not_kept_for_good(
    image_folder, backbone, tmp_path, monkeypatch
):
    folder = shutil.copytree(image_folder, tmp_path / "images")
    annotated = datasets.load("folder", "train", data_dir=str(folder))
    annotated.fingerprint()  # while it can be read
    (folder / "9.png").rename(folder / "moved.png")
    with pytest.raises(BadImageError, match="9.png: No such file"):
        extract(annotated, backbone, tmp_path)
    (folder / "moved.png").rename(folder / "9.png")
    cache = extract(annotated, backbone, tmp_path)
    assert cache.bad == {} and cache.gather(range(24)).any(axis=(1, 2, 3)).all()


def test_files_are_read_once_for_all_views(annotated, monkeypatch):
    states, calls = type(annotated.source).states, []
    monkeypatch.setattr(
        type(annotated.source), "states", lambda self: calls.append(1) or states(self)
    )
    assert annotated.fingerprint() == annotated.fingerprint() and calls == [1]


def test_batches_must_not_cross_shards(annotated, backbone, tmp_path):
    with pytest.raises(ValueError, match="divide 8, got 3"):
        extraction.extract(annotated, RESIZE, backbone, TAP, tmp_path, batch_size=3)
