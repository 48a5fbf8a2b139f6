"""Edits of an XMP packet, collected and made at once."""

import dataclasses
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from annotator.metadata import properties
from annotator.metadata.keywords import (
    ANNOTATOR,
    CAPTION_MARK,
    DC,
    DESCRIPTION,
    DIGIKAM,
    LIGHTROOM,
    MARKS,
    Mark,
    folded,
)
from annotator.metadata.packet import RDF, Element, Name, Packet

_PREFIXES = {
    DC: "dc",
    LIGHTROOM: "lr",
    DIGIKAM: "digiKam",
    ANNOTATOR: "annotator",
    RDF: "rdf",
}


class Editor:
    """Collects edits of one packet, each at its place.

    Args:
        packet: The packet.
    """

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self._edits: list[tuple[int, int, str]] = []
        self._new: list[tuple[Name, str]] = []  # properties that are not there yet

    def replace(self, name: Name, gone: set[str], new: Iterable[str]) -> None:
        """Takes texts out of an array and puts others in.

        Args:
            name: The property.
            gone: Texts that go, unless they are among `new`.
            new: Texts that shall be there.
        """
        found = self.packet.properties(name)
        new = list(dict.fromkeys(new))
        present = [text for each in found for text in properties.texts(each)]
        staying = {folded(text) for text in present if text not in gone}
        # What goes and comes again stays, so that nothing moves without a cause.
        gone = gone - set(new)
        added = [
            text for text in new if folded(text) not in staying and text not in present
        ]
        for element in found:
            kept = [text for text in properties.texts(element) if text not in gone]
            last = element is found[0]
            if not kept and not (last and added):
                if gone.intersection(properties.texts(element)):
                    self._remove(element)
                continue
            for item in properties.items(element):
                if item.text.strip() in gone:
                    self._remove(item)
            if last and added:
                self._append(element, added)
        if added and not found:
            self._new.append((name, _array("Bag", [(text, "") for text in added])))

    def write_marks(self, marks: list[Mark]) -> None:
        """Writes marks of keywords in place of all that are there."""
        body = "".join(f"\n     <rdf:li {_attributes(mark)}/>" for mark in marks)
        self._rewrite(MARKS, marks and f"\n    <rdf:Bag>{body}\n    </rdf:Bag>\n   ")

    def write_caption_mark(self, old: list[Mark], mark: Mark | None) -> None:
        """Writes the mark of a caption, or takes it away."""
        if old != ([mark] if mark else []):
            self._rewrite(CAPTION_MARK, "", mark and _attributes(mark))

    def write_description(self, text: str | None, language: str = "") -> None:
        """Writes the description in place of all that are there."""
        found = ["x-default", language] if language else ["x-default"]
        self._rewrite(
            DESCRIPTION, text and _array("Alt", [(text, each) for each in found])
        )

    def finish(self) -> bytes:
        """The packet with all edits."""
        if self._new:
            self._insert("".join(self._property(*each) for each in self._new))
        return self.packet.spliced(self._edits)

    def _rewrite(self, name, body, attributes=None):
        for element in self.packet.properties(name):
            self._remove(element)
        if body or attributes:
            self._new.append((name, body or f" {attributes}/"))

    def _remove(self, element):
        start = element.start - len(self.packet.space_before(element.start).encode())
        self._edits.append((start, element.end, ""))

    def _append(self, element: Element, texts: list[str]) -> None:
        """Puts items at the end of an array."""
        array = properties.container(element)
        if array is None:  # <dc:subject/>, or <dc:subject>a</dc:subject>
            everything = [*properties.texts(element), *texts]
            self._remove(element)
            body = _array("Bag", [(text, "") for text in everything])
            self._new.append((element.name, body))
            return
        prefix = _prefix(array.tag)
        items = properties.items(element)
        space = self.packet.space_before(items[-1].start) if items else ""
        lines = "".join(
            f"{space}<{prefix}li>{escape(text)}</{prefix}li>" for text in texts
        )
        if array.is_empty_tag:
            self._open(array, lines)
        else:
            place = items[-1].end if items else array.inside
            self._edits.append((place, place, lines))

    def _open(self, element, body):
        """Makes `<a/>` to `<a>body</a>`."""
        text = f">{body}</{element.tag}>"
        self._edits.append((element.inside - 2, element.inside, text))

    def _insert(self, text):
        if not self.packet.descriptions:
            rdf = self.packet.rdf
            prefix = _prefix(rdf.tag)
            text = f'<{prefix}Description {prefix}about="">{text}</{prefix}Description>'
            if rdf.is_empty_tag:
                self._open(rdf, text)
            else:
                self._edits.append((rdf.inside_end, rdf.inside_end, text))
            return
        description = self.packet.descriptions[0]
        if description.is_empty_tag:
            self._open(description, f"{text}\n  ")
            return
        end = description.inside_end
        place = end - len(self.packet.space_before(end).encode())
        # What was taken out may reach up to here from before, and no further.
        self._edits.append((place, place, text))

    def _property(self, name: Name, body: str) -> str:
        """A property, with the namespaces that are not in scope where it is put."""
        place = (self.packet.descriptions or [self.packet.rdf])[0]
        declared = "".join(
            f" xmlns:{_PREFIXES[uri]}={quoteattr(uri)}"
            for uri in dict.fromkeys((name[0], RDF))
            if place.prefixes.get(uri) != _PREFIXES[uri]
        )
        tag = f"{_PREFIXES[name[0]]}:{name[1]}"
        if body.endswith("/"):
            return f"\n   <{tag}{declared}{body}>"
        return f"\n   <{tag}{declared}>{body}</{tag}>"


def _array(kind: str, items: list[tuple[str, str]]) -> str:
    """The content of an array property, from pairs of text and language."""
    lines = "".join(
        f"\n     <rdf:li{f' xml:lang={quoteattr(language)}' if language else ''}>"
        f"{escape(text)}</rdf:li>"
        for text, language in items
    )
    return f"\n    <rdf:{kind}>{lines}\n    </rdf:{kind}>\n   "


def _attributes(mark: Mark) -> str:
    """The fields of a mark as attributes, the shortest form of a structure."""
    return " ".join(
        f"annotator:{field.name.capitalize()}={quoteattr(str(value))}"
        for field in dataclasses.fields(mark)
        if (value := getattr(mark, field.name)) not in (None, "")
    )


def _prefix(tag):
    """`rdf:` of `rdf:Bag`."""
    before, colon, _ = tag.partition(":")
    return before + colon if colon else ""
