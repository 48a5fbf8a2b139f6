"""The page: whole, by itself, and nothing but text where others wrote it."""

import base64
import collections
import hashlib
import html.parser
import io

import numpy as np
import pytest
from PIL import Image

from annotator.config import Config
from annotator.evaluation.report.examples import picture_card
from annotator.evaluation.report.page import report_page
from annotator.evaluation.report.score_table import published_table
from annotator.evaluation.report.settings import settings_list
from annotator.evaluation.report.word_table import word_table

VOID = {"br", "img", "input", "link", "meta", "hr", "col"}


class Page(html.parser.HTMLParser):
    """Elements `(name, attributes, text)` of a page, whose tags all close."""

    def __init__(self, text):
        super().__init__()
        self.all, self._open = [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), attrs
        element = [tag, dict(attrs), ""]
        self.all.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def of(self, name, class_=None):
        return [
            (attrs, text)
            for tag, attrs, text in self.all
            if tag == name and class_ in (None, *attrs.get("class", "").split())
        ]


@pytest.fixture(scope="module")
def page(report):
    return Page(report.read_text(encoding="utf-8"))


def test_it_stands_in_the_workdir_whole(report, made_up_run):
    assert report == made_up_run.files.folder / "reports" / "validation.html"
    assert [path.name for path in report.parent.iterdir()] == ["validation.html"]
    assert report.stat().st_size < 300_000


def test_all_sections_are_there_and_linked(page):
    assert [text for _, text in page.of("h2")] == ["Captions", "Tags", "Settings"]
    others = ["Scores", "Images", "Probabilities", "Words", "Confused words"]
    titles = [others[0], "Training", *others[1:]]
    found = [text for _, text in page.of("h3")]
    assert found[:11] == titles + others  # those below are of the settings
    ids = [attrs["id"] for _, attrs, _ in page.all if "id" in attrs]
    assert len(set(ids)) == len(ids)
    links = [attrs["href"] for attrs, _ in page.of("a")]
    assert len(links) == 14 and {link[1:] for link in links} <= set(ids)


def test_nothing_is_loaded_from_elsewhere(page):
    for _, attrs, _ in page.all:
        for name in ("src", "srcset", "action", "data", "poster"):
            assert attrs.get(name, "data:image/jpeg;base64,").startswith("data:image/")
        assert attrs.get("href", "#").startswith("#")
        assert "url(" not in attrs.get("style", "")
    ((_, style),) = page.of("style")
    assert "url(" not in style and "@import" not in style and "http" not in style
    ((_, script),) = page.of("script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policies = [a["content"] for a, _ in page.of("meta") if "http-equiv" in a]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0] and f"'sha256-{digest}'" in policies[0]


def test_hostile_words_names_and_captions_are_text(page, report, hostile):
    assert report.read_text(encoding="utf-8").count("<script") == 1
    assert not [attrs for attrs, _ in page.of("img") if "onerror" in attrs]
    assert hostile in [text for _, text in page.of("th")]
    shown = [attrs["alt"] for attrs, _ in page.of("img")]
    assert f"Image 3 {hostile}.png" in shown
    assert any(hostile in text for _, text in page.of("p", "draft"))
    assert hostile in [text for _, text in page.of("li")]  # a reference
    assert [text for _, text in page.of("h1")] == ["a <b>run"]


def test_images_in_their_proportions_with_what_was_said(page):
    cards = page.of("figure", "card")
    assert len(cards) == 16  # eight of each task
    photos = page.of("img")
    assert {attrs["width"] + "x" + attrs["height"] for attrs, _ in photos} == {
        "480x320",
        "280x448",  # seven times as large
    }
    encoded = photos[0][0]["src"].removeprefix("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        assert f"{image.width}" == photos[0][0]["width"]
    said = [" ".join(text.split()) for _, text in page.of("p", "said")]
    # Of what equals its reference CIDEr is 10, and of longer ones as much.
    assert said[0] in ("a red wall", "a blue wall on the left", "the red wall")
    assert "nothing was said" in said
    unheard = [text for attrs, text in page.of("button", "unheard")]
    assert "green" in unheard and "thing" in unheard and "wall" not in unheard


def test_each_word_has_its_map(page):
    cards = [attrs for attrs, _ in page.of("figure", "card") if "data-maps" in attrs]
    assert len(cards) == 7  # not of the empty caption
    buttons = [text for attrs, text in page.of("button") if "tabindex" in attrs]
    shades = 0
    for card in cards:
        maps = np.frombuffer(base64.b64decode(card["data-maps"]), np.uint8)
        maps = maps.reshape(-1, 9)
        assert card["data-side"] == "3"
        assert maps.argmax(axis=1).tolist() == [t % 9 for t in range(len(maps))]
        assert maps.max() == 255
        shades += len(maps)
    assert shades == len(buttons)


def test_published_rows_say_of_which_split_they_are(page):
    ((_, text),) = page.of("table", "published")
    assert "Google NIC" in text and "63.0" in text
    rows = [text for attrs, text in page.of("tr", "own")]
    assert len(rows) == 1 and rows[0].startswith("This run validation")
    (warning,) = [t for _, t in page.of("p", "warning") if "Not the same" in t]
    assert "this run is scored on validation, the published rows on test" in warning
    columns, rows = {"f1": "F1", "n_plus": "N+"}, [("x", {"f1": 30, "n_plus": 12})]
    table = published_table(columns, rows, {"f1": 31.23}, "test", ["n_plus"])
    assert "warning" not in table
    assert "x <small>test</small></th><td>30.0</td><td>12</td>" in table
    assert "This run <small>test</small></th><td>31.2</td><td>–</td>" in table
    assert published_table(columns, [], {"f1": 31.23}, "test") is None


def test_curves_of_the_log_are_drawn(page):
    charts = [attrs["aria-label"] for attrs, _ in page.of("svg")]
    assert "Loss: cross entropy (nats a word) by training step" in charts
    (validation,) = [label for label in charts if label.startswith("Validation")]
    assert "(%)" in validation
    assert len(charts) == 6  # two histograms, and probabilities of both


def test_chips_say_what_was_right_and_what_is_lacking(page, scored):
    (results,) = [each.tags for each in scored.values() if each.tags]
    chips = collections.Counter(
        kind
        for attrs, text in page.of("li", "chip")
        for kind in ("right", "wrong", "lacking")
        if kind in attrs["class"].split()
    )
    given = results.predicted.sum(axis=1)
    assert given.min() == given.max() == 5
    assert chips["right"] + chips["wrong"] == 8 * 5
    assert chips["lacking"]
    sure = [text for attrs, text in page.of("li", "chip") if text.endswith(" %")]
    assert len(sure) == 8 * 5


def test_how_far_captions_can_be_believed(page):
    (told,) = [t for _, t in page.of("p", "rule") if "content words of the cap" in t]
    assert told.startswith("The 15 content") and "is 10.0 percentage points" in told


def test_calibration_says_when_it_was_fitted_to_these_images(page):
    assert [t for _, t in page.of("p", "warning") if "fitted to these images" in t]


def test_paths_of_the_machine_are_not_told(report):
    text = report.read_text(encoding="utf-8")
    assert "/home/me" not in text and ">v.h5<" in text
    assert str(report.parent.parent.parent) not in text


def test_settings_that_differ_stand_apart():
    page = Page(settings_list(Config(task="tagger", components=64, vlad=())))
    own = [text for _, text in page.of("dd", "own")]
    assert own.count("64") == own.count("none") == own.count("tagger") == 2
    names = [text for _, text in page.of("dt")]
    assert "codebook" in names and "decoder" not in names and "data_dir" not in names


def test_the_table_of_words_begins_with_the_most_frequent():
    rows = [
        {"word": w, "predicted": p, "true": t, "precision": 0.5, "recall": 0.25}
        | {"f1": 1 / 3}
        for w, p, t in (("a", 2, 1), ("b", 0, 4), ("c", 9, 0))
    ]
    page = Page(word_table(rows, "note", np.array([0.125, 1.0, np.nan])))
    cells = [text for _, text in page.of("td")]
    assert cells[:6] == ["–", "25.0", "33.3", "100.0", "4", "0"]
    assert cells[6:12] == ["50.0", "25.0", "33.3", "12.5", "1", "2"]
    assert cells[12:] == ["50.0", "–", "–", "–", "0", "9"]
    many = word_table(rows * 200, "note")
    assert many.count("<tr>") == 501 and "500 most frequent of 600 words" in many


def test_a_map_lies_where_the_network_looked():
    image = Image.fromarray(np.zeros((30, 60, 3), np.uint8))
    content = io.BytesIO()
    image.save(content, "png")
    maps = np.ones((1, 2, 2))
    cropped = picture_card(content.getvalue(), "a", "1", maps=maps, cropped=True)
    assert "left:25.00%;top:0.00%;width:50.00%;height:100.00%" in cropped
    whole = picture_card(content.getvalue(), "a", "1", maps=maps)
    assert "<canvas hidden>" in whole
    assert "canvas" not in picture_card(content.getvalue(), "a", "1")


def test_of_one_task_alone_and_without_images(made_up_run, scored):
    for task, title in (("tagger", "Tags"), ("captioner", "Captions")):
        some = {each: s for each, s in scored.items() if each.name == task}
        page = Page(report_page(made_up_run, "test", some, 0))
        assert [text for _, text in page.of("h2")] == [title, "Settings"]
        assert not page.of("img") and not page.of("p", "warning")
