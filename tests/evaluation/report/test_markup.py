"""Markup: what is text stays text, wherever it stands."""

import html.parser

import pytest

from annotator.evaluation.report.markup import Markup, escape, join, table, tag

HOSTILE = "</script><img src=x onerror=\"alert('1')\">&amp;"


class Reader(html.parser.HTMLParser):
    """Elements with their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_elements_attributes_and_content():
    assert tag("p", "5 < 6", class_="note") == '<p class="note">5 &lt; 6</p>'
    assert tag("img", alt="a", data_side=3, hidden=True) == (
        '<img alt="a" data-side="3" hidden>'
    )
    assert tag("td", None, 7, title=None, hidden=False) == "<td>7</td>"
    assert join([tag("b", "a"), None, " & ", Markup("<hr>")]) == "<b>a</b> &amp; <hr>"
    assert table(["a", "b"], [["x", 1]]) == (
        '<table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>'
        '<tbody><tr><th scope="row">x</th><td>1</td></tr></tbody></table>'
    )


@pytest.mark.parametrize("text", [HOSTILE, "'\"<>&", "a\nb", "\u202eabc", "x" * 10_000])
def test_hostile_text_is_text(text):
    read = Reader(tag("p", text, title=text))
    assert read.elements == [("p", {"title": text})]
    assert read.text == text


def test_what_no_page_can_hold_is_replaced():
    assert escape("a\x00b\ud800c\x1b\ufffe") == "a\ufffdb\ufffdc\ufffd\ufffd"
    escape("a\x00\ud800").encode("utf-8")  # can be written
