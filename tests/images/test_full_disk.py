"""A disk that is full while images are annotated: nothing is lost or repeated."""

import contextlib
import errno
import resource

import pytest

from annotator.annotation import run as annotation


@pytest.fixture
def file_size_limit():
    """A function that sets how large files may grow, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        soft = before[0] if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
@pytest.mark.parametrize("sidecars", [None, "txt"])
def test_full_disk(
    ending, sidecars, mean_color, small_png, tmp_path, file_size_limit, monkeypatch
):
    """The error says how to go on, and going on loses and repeats nothing."""
    monkeypatch.setattr(annotation, "Journal", contextlib.nullcontext)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(20):
        (folder / f"{i:02}.png").write_bytes(small_png)
    output = tmp_path / f"o.{ending}"
    arguments = ["m"], folder, output

    def run():
        return annotation.annotate(*arguments, sidecars=sidecars, batch_size=4)

    # What is traced first writes files of its own.
    annotation.annotate(["m"], folder, tmp_path / "before.jsonl", batch_size=4)
    file_size_limit(1500)
    with pytest.raises(OSError, match="o.*partial: .*give the same command") as info:
        run()
    assert info.value.__cause__.errno == errno.EFBIG
    partial = tmp_path / f"{output.name}.partial"
    assert partial.stat().st_size == 1500 and not output.exists()
    file_size_limit(None)
    assert run() == (20, 0)
    whole = tmp_path / f"whole.{ending}"
    annotation.annotate(*arguments[:2], whole, sidecars=sidecars, batch_size=4)
    assert output.read_text() == whole.read_text()


def test_full_disk_for_sidecars(
    mean_color, small_png, tmp_path, file_size_limit, monkeypatch
):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(small_png)
    output = tmp_path / "o.jsonl"

    def run():
        return annotation.annotate(["m"], f"{tmp_path}/*.png", output, sidecars="json")

    monkeypatch.setattr(annotation, "Journal", contextlib.nullcontext)
    write_sidecar = annotation.write_sidecar

    def with_little_room(*arguments):
        file_size_limit(10)
        try:
            write_sidecar(*arguments)
        finally:
            file_size_limit(None)

    with monkeypatch.context() as patch:
        patch.setattr(annotation, "write_sidecar", with_little_room)
        with pytest.raises(OSError, match="File too large"):
            run()
    assert not list(tmp_path.glob("*.png.json")) and not list(tmp_path.glob(".*"))
    assert run() == (3, 0)
    assert len(list(tmp_path.glob("*.png.json"))) == 3


def test_full_disk_for_the_journal(
    mean_color, small_png, tmp_path, file_size_limit, monkeypatch
):
    """No sidecar is written that could not be taken back."""
    monkeypatch.setenv("ANNOTATOR_STATE", str(tmp_path / "state"))
    (tmp_path / "a.png").write_bytes(small_png)
    arguments = ["m"], tmp_path, tmp_path / "o.jsonl"
    annotation.annotate(*arguments[:2], tmp_path / "before.jsonl")
    file_size_limit(1500)
    with pytest.raises(OSError, match=r"sidecars\.sqlite.*\$ANNOTATOR_STATE"):
        annotation.annotate(*arguments, sidecars="xmp")
    file_size_limit(None)
    assert not (tmp_path / "a.png.xmp").exists()
    assert annotation.annotate(*arguments, sidecars="xmp") == (1, 0)
    assert (tmp_path / "a.png.xmp").exists()
