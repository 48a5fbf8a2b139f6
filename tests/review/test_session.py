"""A session: what is read, chosen and learned, without a browser."""

import io

import numpy as np
import pytest
from PIL import Image

from annotator.library.library import Library
from annotator.library.thumbnails import render
from annotator.review.session import Session


def numbers_of(session):
    return {p.path.decode(): p.id for p in session.library.photographs()}


def names(chosen):
    return [photograph.path.decode() for photograph in chosen[0]]


def test_reading_leaves_files_as_they_are_and_names_what_it_cannot_read(
    opened, photographs
):
    before = {p: p.read_bytes() for p in photographs.rglob("*") if p.is_file()}
    session, indexer = opened
    assert indexer.state["phase"] == "listing"
    indexer.read_all()
    assert indexer.state == {"phase": "ready", "done": 32, "total": 32}
    assert before == {p: p.read_bytes() for p in photographs.rglob("*") if p.is_file()}
    numbers = numbers_of(session)
    broken, red = session.details([numbers["broken.jpg"], numbers["red 1.jpg"]])
    assert broken["error"] and not broken["encoded"] and broken["suggested"] == []
    assert red["suggested"][0][0] == "red" and (red["width"], red["height"]) == (72, 96)
    assert red["caption"] == "A wall of one color" and red["caption_by"] == "machine"
    assert list((session.library.folder / "thumbnails").rglob("*.jpg"))


def test_what_browsers_do_not_show_has_thumbnails(opened, photographs):
    session, indexer = opened
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("turned.tif", "turned.avif"):
        Image.new("RGB", (90, 60), (40, 170, 60)).save(photographs / name, exif=exif)
    deep = np.full((30, 50), 40_000, np.uint16)
    Image.fromarray(deep).save(photographs / "deep.png")
    indexer.read_all()
    numbers = numbers_of(session)
    for name, shape in {"turned.tif": (60, 90), "turned.avif": (60, 90)}.items():
        (details,) = session.details([numbers[name]])
        assert (details["width"], details["height"]) == shape
        assert details["suggested"][0][0] == "green"
        (photograph,) = session.library.photographs([numbers[name]])
        path = session.library.file(photograph)
        made = session.library.thumbnails.path(photograph.id, photograph.modified)
        for content in (made.read_bytes(), render(path, 2048)[0]):
            with Image.open(io.BytesIO(content)) as image:
                assert image.size == shape
                assert np.argmax(np.asarray(image).mean((0, 1))) == 1  # green
    gray, _ = render(photographs / "deep.png", 64)
    with Image.open(io.BytesIO(gray)) as image:
        assert abs(np.asarray(image).astype(int) - (40_000 >> 8)).max() < 3
    with pytest.raises(OSError, match="turned.tif.*more than 99 pixels.*--max_pixels"):
        render(photographs / "turned.tif", 64, max_pixels=99)


def test_a_new_word_is_learned_from_one_photograph(session):
    numbers = numbers_of(session)
    event = session.library.corrections.judge([numbers["yellow 0.jpg"]], "sun", True)
    learned = session.learned(event)
    gained = learned["words"]["sun"]["gained"]
    yellow = {n for name, n in numbers.items() if "yellow" in name}
    assert yellow <= {*gained, numbers["yellow 0.jpg"]}
    best = names(session.select(word="sun", sort="score"))[:5]
    assert all("yellow" in name for name in best)
    for number in yellow:
        (details,) = session.details([number])
        assert "sun" in details["accepted"] + [w for w, _ in details["suggested"]]


def test_undo_brings_back_what_was(session):
    numbers = numbers_of(session)
    before = session.details(list(numbers.values()))
    say = session.library.corrections
    session.learned(say.judge([numbers["red 0.jpg"]], "red", False))
    session.learned(say.judge([numbers["blue 0.jpg"]], "sky", True))
    assert session.details(list(numbers.values())) != before
    session.learned(say.undo())
    session.learned(say.undo())
    assert session.details(list(numbers.values())) == before


def test_another_process_is_learned_from(session, encoder):
    library = Library(session.library.folder, session.library.root)
    other = Session(library, encoder.id, encoder.basis, encoder.top_k)
    numbers = numbers_of(session)
    everything = list(numbers.values())
    other.learned(library.corrections.judge([numbers["violet 0.jpg"]], "plum", True))
    session.learned(
        session.library.corrections.judge([numbers["red 0.jpg"]], "red", False)
    )
    assert session.details(everything) == other.details(everything)
    # And so does one that is opened afterwards.
    late = Session(library, encoder.id, encoder.basis, encoder.top_k)
    assert late.details(everything) == session.details(everything)
    library.close()


def test_filters_and_orders(session):
    numbers = numbers_of(session)
    say = session.library.corrections
    say.judge([numbers["red 0.jpg"]], "red", True)
    say.judge([numbers["trip/red 3.jpg"]], "red", False)
    everything = names(session.select())
    assert everything == sorted(everything) and len(everything) == 32
    assert names(session.select(by="person")) == ["red 0.jpg", "trip/red 3.jpg"]
    assert names(session.select(by="rejected")) == ["trip/red 3.jpg"]
    assert len(session.select(by="machine")[0]) == 30
    assert names(session.select(word="red", by="person")) == ["red 0.jpg"]
    assert names(session.select(word="red", by="rejected")) == ["trip/red 3.jpg"]
    suggested = names(session.select(word="red", by="machine"))
    assert "red 1.jpg" in suggested and "red 0.jpg" not in suggested
    assert len(session.select(word="red")[0]) == len(suggested) + 1
    likest = names(session.select(like=numbers["blue 0.jpg"]))
    assert likest[0] == "blue 0.jpg" and all("blue" in name for name in likest[:5])
    uncertain, values = session.select(sort="uncertain", word="red")
    assert values == sorted(values, reverse=True)
    assert len(uncertain) == 29  # neither judged nor broken
    assert names(session.select(sort="newest"))
    yellow = names(session.select(text="yell"))
    assert len(yellow) == 5 and all("yellow" in name for name in yellow)
    assert "green 0.jpg" in names(session.select(text="gre"))
    assert names(session.select(text="nothing like it")) == []


def test_what_is_unknown_is_named(session):
    with pytest.raises(KeyError, match="boat"):
        session.select(word="boat")
    with pytest.raises(ValueError, match="by='me'"):
        session.select(by="me")
    with pytest.raises(ValueError, match="sort='score'"):
        session.select(sort="score")
    with pytest.raises(KeyError):
        session.select(like=9999)


def test_counts_of_words(session):
    numbers = numbers_of(session)
    say = session.library.corrections
    say.judge([numbers["red 0.jpg"], numbers["red 1.jpg"]], "red", True)
    say.judge([numbers["blue 0.jpg"]], "red", False)
    counts = {each["word"]: each for each in session.words()}
    assert (counts["red"]["accepted"], counts["red"]["rejected"]) == (2, 1)
    assert counts["gray"]["accepted"] == 0 and counts["gray"]["suggested"]
