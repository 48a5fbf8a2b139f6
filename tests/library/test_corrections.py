"""Corrections: kept the moment they are made, in a history, and undone."""

import pathlib
import random
import signal
import subprocess
import sys

import pytest

from annotator.library import texts
from annotator.library.library import Library

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def numbers(library):
    return [photograph.id for photograph in library.photographs()]


def test_judgments_and_their_undoing(library, numbers):
    say = library.corrections
    a, b, c, _ = numbers
    event = say.judge([a, b, b], "  red \n sea ", True)
    assert [tuple(change) for change in event.changes] == [
        (a, "red sea", None, True),
        (b, "red sea", None, True),
    ]
    assert say.judge([a], "red sea", True) is None
    say.judge([b, c], "red sea", False)
    assert say.judgments() == [
        (a, "red sea", True),
        (b, "red sea", False),
        (c, "red sea", False),
    ]
    assert say.judgments([c]) == [(c, "red sea", False)]
    undone = say.undo()
    assert undone.undoes == 2
    assert say.judgments() == [(a, "red sea", True), (b, "red sea", True)]
    assert [event.action for event in say.history()] == ["undo", "reject", "accept"]
    say.undo()
    assert say.judgments() == []
    with pytest.raises(ValueError, match="nothing to undo"):
        say.undo()
    assert say.undo(4).action == "redo"  # 4 undid the first
    assert say.judgments() == [(a, "red sea", True), (b, "red sea", True)]
    assert say.undo().action == "undo" and say.judgments() == []


def test_an_older_event_is_undone_but_for_what_was_changed_since(library, numbers):
    say = library.corrections
    a, b, *_ = numbers
    first = say.judge([a, b], "sea", True)
    say.judge([b], "sea", False)
    say.undo(first.id)
    assert say.judgments() == [(b, "sea", False)]
    with pytest.raises(ValueError, match="undone already"):
        say.undo(first.id)
    other = say.judge([a], "sky", True)
    say.judge([a], "sky", False)
    with pytest.raises(ValueError, match="changed again since"):
        say.undo(other.id)
    with pytest.raises(ValueError, match="no event 77"):
        say.undo(77)


def test_captions_are_written_and_undone(library, numbers):
    say = library.corrections
    library.note_encoded("m", {}, {numbers[0]: "a machine's words"}, {})
    say.write_caption(numbers[0], "  The\nsea ")
    photograph = library.photograph(numbers[0])
    assert (photograph.caption, photograph.caption_by) == ("The sea", "person")
    library.note_encoded("m", {}, {numbers[0]: "other words"}, {})
    assert library.photograph(numbers[0]).caption == "The sea"
    say.undo()
    photograph = library.photograph(numbers[0])
    assert photograph.caption == "a machine's words"
    assert photograph.caption_by == "machine"


@pytest.mark.parametrize("word", ["", " \n ", "\0", "x" * 201])
def test_what_is_no_word(library, numbers, word):
    with pytest.raises(ValueError, match="A word"):
        library.corrections.judge(numbers, word, True)
    assert library.corrections.history() == []


def test_unknown_photographs_change_nothing(library, numbers):
    with pytest.raises(KeyError):
        library.corrections.judge([numbers[0], 999], "sea", True)
    assert library.corrections.judgments() == []
    with pytest.raises(KeyError):
        library.corrections.write_caption(999, "sea")
    with pytest.raises(ValueError, match="letters at most"):
        library.corrections.write_caption(numbers[0], "x" * 30_000)


def test_search_finds_captions_words_and_names(library, numbers):
    say, found = library.corrections, lambda t: texts.search(library.database, t)
    a, b, c, d = numbers
    say.write_caption(a, "Two café tables by the sea")
    say.judge([b], "seagull", True)
    say.judge([c], "sea", False)
    assert set(found("sea")) == {a, b}
    assert found("CAFE tables") == [a]
    assert set(found("trip")) == {c, d}
    say.undo(2)
    assert found("seagull") == []


@pytest.mark.parametrize(
    "text", ["", '"', "sea OR", "NEAR(", "*", "a:b", "' ; DROP TABLE words", "\0", "-x"]
)
def test_nothing_in_a_query_is_an_operator(library, text):
    assert texts.search(library.database, text) == []


def test_hostile_texts_are_kept_as_they_are(library, numbers):
    word = "<script>alert('x')</script> \"' -- ; é 猫"
    library.corrections.judge(numbers[:1], word, True)
    library.corrections.write_caption(numbers[0], f"{word} " * 100)
    assert library.corrections.words() == [word]
    assert texts.search(library.database, word) == numbers[:1]


def test_two_processes_do_not_overwrite_each_other(library, numbers):
    other = Library(library.folder, library.root)
    seen = library.corrections.last_event()
    other.corrections.judge(numbers[:1], "sea", True)
    library.corrections.judge(numbers[1:2], "sea", True)
    other.corrections.judge(numbers[:1], "sky", False)
    events = library.corrections.events_after(seen)
    assert [event.changes[0].word for event in events] == ["sea", "sea", "sky"]
    assert library.corrections.judgments() == other.corrections.judgments()
    assert len(library.corrections.judgments()) == 3
    other.close()


# Makes corrections as fast as it can, and says which one was accepted.
_WRITER = """
import sys
from annotator.library.library import Library
library = Library(sys.argv[1], sys.argv[2])
start = int(sys.argv[3])
photographs = [photograph.id for photograph in library.photographs()]
for number in range(start, start + 100_000):
    library.corrections.judge(photographs[:1], f"w{number}", True)
    print(number, flush=True)
"""


@pytest.mark.parametrize(
    "kills", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_no_accepted_correction_is_lost_in_a_kill(library, photographs, kills):
    library.close()
    before = {p: p.read_bytes() for p in photographs.rglob("*") if p.is_file()}
    rng, start = random.Random(kills), 0
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, library.folder, photographs, str(start)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        said = [writer.stdout.readline() for _ in range(rng.randint(1, 40))]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.read().splitlines()
        writer.wait()
        last = int(said[-1])
        opened = Library(library.folder, photographs)
        kept = {word for _, word, _ in opened.corrections.judgments()}
        assert {f"w{number}" for number in range(last + 1)} <= kept
        assert opened.database.value("PRAGMA integrity_check") == "ok"
        start = len(kept)
        # Nothing of a correction that was cut off is there.
        assert len(opened.corrections.events_after(0)) == len(kept)
        opened.close()
    assert before == {p: p.read_bytes() for p in photographs.rglob("*") if p.is_file()}
