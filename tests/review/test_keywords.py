"""Keywords that come from and go to other programs."""

from annotator.metadata import Change, read_image, read_sidecar, write_sidecar
from annotator.review.keywords import import_keywords, write_keywords


def test_keywords_are_taken_in_and_written_back(opened, photographs):
    image = photographs / "red 0.jpg"
    sidecar = photographs / "red 0.jpg.xmp"
    change = Change(human=["color|crimson", "wall"], description="Somebody's words")
    write_sidecar(sidecar, change)
    before = {p: p.read_bytes() for p in photographs.rglob("*.jpg")}
    session, indexer = opened
    indexer.read_all()
    session.sync()
    numbers = {p.path.decode(): p.id for p in session.library.photographs()}
    (red,) = session.details([numbers["red 0.jpg"]])
    assert red["accepted"] == ["crimson", "wall"]
    assert session.library.corrections.history()[0].action == "import"
    assert session.live.words.taught("crimson") == (1, 0)
    say = session.library.corrections
    say.judge([numbers["red 0.jpg"]], "wall", False)
    say.judge([numbers["blue 0.jpg"]], "sky", True)
    say.write_caption(numbers["blue 0.jpg"], "Nothing but sky")
    records = session.details(list(numbers.values()))
    answer = write_keywords(session.library, records)
    assert answer == {"written": 2, "failed": 0, "errors": []}
    assert write_keywords(session.library, records)["written"] == 0
    read = read_sidecar(sidecar)
    assert "wall" not in read.human and "color|crimson" in read.human
    assert read.description == "Somebody's words"
    blue = read_image(photographs / "blue 0.jpg")
    assert blue.human == ("sky",) and blue.description == "Nothing but sky"
    assert before == {p: p.read_bytes() for p in photographs.rglob("*.jpg")}
    assert image.exists()


def test_a_damaged_sidecar_is_named_and_left_alone(session, photographs):
    (photographs / "red 1.jpg.xmp").write_text("no XMP at all")
    numbers = {p.path.decode(): p.id for p in session.library.photographs()}
    say = session.library.corrections
    say.judge([numbers["red 1.jpg"]], "wall", True)
    assert import_keywords(session.library, session.library.photographs()) is None
    answer = write_keywords(session.library, session.details(list(numbers.values())))
    assert answer["failed"] == 1 and "red 1.jpg.xmp" in answer["errors"][0]
    assert (photographs / "red 1.jpg.xmp").read_text() == "no XMP at all"
