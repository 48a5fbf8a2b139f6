"""Undo: sidecars become what they were, and what people did since stays."""

import importlib.util

import pytest

from annotator.metadata import Change, Mark, command, edit, read_sidecar, write_sidecar
from annotator.metadata.journal import Journal
from annotator.metadata.patch import make_patch
from annotator.metadata.undo import Undone, undo, undo_in_folder


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.setenv("ANNOTATOR_STATE", str(tmp_path / "state"))
    with Journal() as journal:
        yield journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "photos" / "a.jpg.xmp"


@pytest.fixture
def write(journal, path):
    """A function by which a run writes words and a caption."""
    path.parent.mkdir()

    def write(run, *words, path=path):
        marks = [Mark(word, run=run) for word in words]
        before = path.read_bytes() if path.exists() else None
        after = edit(before, Change(marks, caption=Mark(words[0], run=run)))
        journal.begin(run, "o.jsonl")
        journal.note(run, str(path), str(path)[:-4], before, after)
        path.write_bytes(after)

    return write


def test_a_sidecar_that_was_not_there_goes(journal, path, write):
    write("r1", "dog")
    assert undo(journal, "r1") == Undone(restored=1)
    assert not path.exists()
    assert undo(journal, "r1") == Undone(restored=1)  # once more changes nothing


def test_a_sidecar_of_others_is_what_it_was_to_the_byte(journal, path, write, packet):
    path.write_bytes(packet)
    write("r1", "ship")
    assert undo(journal, "r1") == Undone(restored=1)
    assert path.read_bytes() == packet


def test_a_run_is_taken_back_and_the_one_that_it_replaced_returns(journal, path, write):
    write("r1", "dog")
    first = path.read_bytes()
    write("r2", "cat")
    assert undo(journal, "r2") == Undone(restored=1)
    assert path.read_bytes() == first


def test_runs_are_taken_back_in_any_order(journal, path, write):
    write("r1", "dog")
    write("r2", "cat")
    assert undo(journal, "r1") == Undone(edited=1)
    assert [mark.text for mark in read_sidecar(path).machine] == ["cat"]
    assert undo(journal, "r2") == Undone(restored=1)
    assert not path.exists()


def test_what_people_did_since_stays(journal, path, write):
    write("r1", "dog", "grass")
    write("r2", "cat", "grass", "sea")
    write_sidecar(path, Change(human=["Rex", "cat"], rejected=["grass"]))
    assert undo(journal, "r2") == Undone(edited=1)
    keywords = read_sidecar(path)
    assert keywords.human == ("cat", "Rex")
    assert [mark.text for mark in keywords.machine] == ["dog"]
    assert (keywords.description, keywords.caption.run) == ("dog", "r1")


def test_a_file_that_is_no_xmp_is_left_if_somebody_edited_it(journal, path):
    text = path.with_name("a.txt")
    journal.begin("r", "o")
    journal.note("r", str(text), "a", None, b"a dog\n")
    path.parent.mkdir()
    text.write_text("my dog\n")
    undone = undo(journal, "r")
    assert undone.left == [(str(text), "somebody edited it")]
    text.write_text("a dog\n")
    assert undo(journal, "r") == Undone(restored=1)
    assert not text.exists()


def test_what_cannot_be_undone_is_told_and_the_rest_goes_on(journal, path, write):
    for name in "abcd":
        write("r", "dog", path=path.with_name(f"{name}.xmp"))
    path.with_name("a.xmp").write_text("no XMP")
    path.with_name("b.xmp").unlink()  # as before the run
    path.with_name("c.xmp").unlink()
    path.with_name("c.xmp").symlink_to(path.with_name("d.xmp"))
    undone = undo(journal, "r")
    assert undone.restored == 2 and undone.edited == 0
    (_, no_xml), (_, link) = undone.left
    assert "no XML" in no_xml and "symbolic link" in link


def test_a_sidecar_that_somebody_removed_is_not_made_again(
    journal, path, write, digikam
):
    path.write_bytes(digikam)
    write("r", "ship")
    path.unlink()
    assert undo(journal, "r").left == [(str(path), "somebody removed it")]
    assert not path.exists()


def test_a_kill_before_the_sidecar_was_written(journal, path):
    journal.begin("r", "o")
    journal.note("r", str(path), "a", None, b"never written")
    assert undo(journal, "r") == Undone(restored=1)


def test_without_the_journal_words_are_taken_out(path, write, digikam):
    other = path.with_name("b.xmp")
    other.write_bytes(digikam)
    write("r1", "dog", path=path)
    write("r1", "ship", path=other)
    assert undo_in_folder(path.parent, "r1") == Undone(edited=2)
    assert not path.exists()
    assert other.read_bytes() == digikam
    with pytest.raises(NotADirectoryError, match="--images=x"):
        undo_in_folder("x", "r1")


def run_command(capsys, *arguments):
    with pytest.raises(SystemExit) as info:
        command.main(["undo", *arguments])
    return info.value.code, capsys.readouterr()


def test_the_command(capsys, journal, path, write):
    write("r1", "dog")
    code, output = run_command(capsys, "--run=r1")
    assert code in (None, 0)
    assert "run r1: 1 sidecars are as before it, 0 keep" in output.out
    code, output = run_command(capsys, "--run=r9")
    assert code == 2
    assert "knows no run 'r9'; the last ones are: r1" in output.err
    write("r2", "dog")
    path.write_text("no XMP")
    code, output = run_command(capsys, "--run=r2")
    assert code == 1
    assert "a.jpg.xmp: left as it is: " in output.err


def test_an_image_is_left_where_what_writes_into_images_is_missing(
    journal, tmp_path, monkeypatch
):
    """The other sidecars of the run are still taken back."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    image, sidecar = tmp_path / "a.jpg", tmp_path / "b.jpg.txt"
    journal.begin("r", "o.jsonl")
    patch = make_patch(b"before", b"by the run")
    journal.note("r", str(image), str(image), patch, b"by the run")
    journal.note("r", str(sidecar), str(tmp_path / "b.jpg"), b"old", b"new")
    image.write_bytes(b"by the run, and edited since")
    sidecar.write_bytes(b"new")
    undone = undo(journal, "r")
    assert undone.restored == 1 and sidecar.read_bytes() == b"old"
    ((path, reason),) = undone.left
    assert path == str(image) and 'pip install ".[metadata]"' in reason
