"""The journal: what it remembers, and of whom."""

import pytest

from annotator.metadata.journal import Entry, Journal, digest, state_folder


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "state") as journal:
        yield journal


def test_what_a_run_wrote_is_remembered(journal, tmp_path):
    journal.begin("r1", "o.jsonl")
    path, image = str(tmp_path / "a\udcff.xmp"), str(tmp_path / "a\udcff.jpg")
    journal.note("r1", path, image, b"before", b"after")
    assert list(journal.entries("r1")) == [Entry(path, b"before", digest(b"after"))]
    assert journal.image_of("r1", path) == image
    assert journal.image_of("r2", path) is None


def test_what_a_file_said_before_a_run_is_kept_when_it_is_written_twice(journal):
    journal.note("r", "/a", "/i", None, b"1")
    journal.note("r", "/a", "/i", b"1", b"2")
    assert list(journal.entries("r")) == [Entry("/a", None, digest(b"2"))]


def test_a_file_is_known_in_another_folder_too(journal):
    journal.note("r", "/photos/a.txt", "/photos/a", None, b"a dog")
    assert journal.wrote("/moved/a.txt", b"a dog")
    assert not journal.wrote("/photos/a.txt", b"my dog")
    assert not journal.wrote("/photos/b.txt", b"a dog")


def test_two_processes_write_it(journal, tmp_path):
    with Journal(tmp_path / "state") as other:
        for number in range(20):
            each = (journal, other)[number % 2]
            each.begin(f"r{number}", "o")
            each.note(f"r{number}", "/a", "/i", None, b"")
    assert len(journal.runs()) == 20


def test_runs_that_were_taken_back(journal):
    for run in ("r1", "r2", "r2"):
        journal.begin(run, "o")
    journal.mark_undone("r1")
    assert journal.runs() == ["r2", "r1"]
    assert journal.runs(undone=True) == ["r1"]
    assert journal.runs(undone=False) == ["r2"]


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("ANNOTATOR_STATE", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert state_folder() == "/home/me/.local/state/annotator"
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert state_folder() == "/x/annotator"
    monkeypatch.setenv("ANNOTATOR_STATE", "~/s")
    assert state_folder() == "/home/me/s"


def test_an_error_names_the_file_and_the_remedy(tmp_path):
    (tmp_path / "sidecars.sqlite").write_text("no database" * 100)
    with pytest.raises(OSError, match=r"sidecars\.sqlite.*\$ANNOTATOR_STATE"):
        Journal(tmp_path)
