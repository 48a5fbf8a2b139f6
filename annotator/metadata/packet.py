"""XMP packets as trees of elements that know where they stand in the bytes.

What is edited is cut out of the bytes and put in there, so that all the rest stays as
another program wrote it, byte for byte.
"""

import codecs
import dataclasses
import re
from typing import TypeAlias
from xml.parsers import expat

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XML = "http://www.w3.org/XML/1998/namespace"

# A sidecar with the masks of a raw developer takes a megabyte.
MAX_BYTES = 1 << 25
_MOST_ELEMENTS = 200_000
_DEEPEST = 100
_SEPARATOR = "\n"  # stands in no name of XML

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# A namespace and a name in it.
Name: TypeAlias = tuple[str, str]


@dataclasses.dataclass(eq=False)
class Element:
    """An element, and where it stands.

    Attributes:
        name: Namespace and name.
        attributes: Dict from namespace and name to value.
        prefixes: Dict from namespace to a prefix that stands for it here.
        tag: The name as it is written, with its prefix.
        start: Where its start tag begins.
        inside: Where its content begins; for `<a/>`, where the tag ends.
        inside_end: Where its content ends.
        end: Where it ends.
        children: The elements in it.
        text: The text in it, without that of its children.
    """

    name: Name
    attributes: dict[Name, str]
    prefixes: dict[str, str]
    tag: str
    start: int
    inside: int
    inside_end: int = 0
    end: int = 0
    children: list["Element"] = dataclasses.field(default_factory=list)
    text: str = ""

    @property
    def is_empty_tag(self) -> bool:
        """Whether it is written as `<a/>`."""
        return self.inside_end == self.inside == self.end


class Packet:
    """An XMP packet: a sidecar's content, or what is embedded in an image file.

    Args:
        content: Its bytes: XML in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Attributes:
        descriptions: The `rdf:Description` elements whose children and attributes are
            the properties of the image.
        rdf: The `rdf:RDF` element.

    Raises:
        ValueError: When it is no XML, no XMP, has a document type (whose entities may
            grow without end), or is larger than `MAX_BYTES`.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) > MAX_BYTES:
            raise ValueError(
                f"XMP of more than {MAX_BYTES} bytes is refused; it has {len(content)}."
            )
        self._mark, self._encoding = next(
            (pair for pair in _BYTE_ORDER_MARKS if content.startswith(pair[0])),
            (b"", "utf-8"),
        )
        try:
            text = content[len(self._mark) :].decode(self._encoding)
        except UnicodeDecodeError as error:
            raise ValueError(f"XMP must be Unicode: {error}.") from error
        self._content = text.encode("utf-8")
        root = _parse(self._content)
        found = _first_rdf(root)
        if found is None:
            raise ValueError("No XMP: it holds no rdf:RDF.")
        self.rdf = found
        self.descriptions = [
            child for child in found.children if child.name == (RDF, "Description")
        ]

    def properties(self, name: Name) -> list[Element]:
        """The elements of a property; there should be one at most."""
        return [
            child
            for description in self.descriptions
            for child in description.children
            if child.name == name
        ]

    def as_attribute(self, name: Name) -> str | None:
        """The value of a property that is written as an attribute."""
        values = (each.attributes.get(name) for each in self.descriptions)
        return next((value for value in values if value is not None), None)

    def spliced(self, edits: list[tuple[int, int, str]]) -> bytes:
        """The packet with other text in some places.

        Args:
            edits: Tuples `(start, end, text)`: `text` takes the place of what stands
                between two positions of elements. They do not overlap, and those of one
                position are written in their order.

        Returns:
            The bytes, in the encoding that the packet has.
        """
        parts, position = [], 0
        for start, end, text in sorted(edits, key=lambda edit: edit[:2]):
            parts += [self._content[position:start], text.encode("utf-8")]
            position = end
        parts.append(self._content[position:])
        text = b"".join(parts).decode("utf-8")
        return self._mark + text.encode(self._encoding)

    def space_before(self, position: int) -> str:
        """The line break and indentation in front of a position, or nothing."""
        found = re.search(
            rb"\r?\n?[ \t]*\Z", self._content[max(0, position - 200) : position]
        )
        return found[0].decode() if found else ""


def _first_rdf(root):
    elements = [root]
    while elements:
        element = elements.pop(0)
        if element.name == (RDF, "RDF"):
            return element
        elements += element.children
    return None


def _parse(content: bytes) -> Element:
    """The root element of XML in UTF-8."""
    parser = expat.ParserCreate("utf-8", _SEPARATOR)
    parser.buffer_text = True
    stack: list[Element] = []
    roots: list[Element] = []
    scopes: list[dict[str, str]] = [{XML: "xml"}]
    declared: dict[str, str] = {}
    count = 0

    def declare(prefix, uri):
        if prefix and uri:  # attributes and our own tags need one
            declared[uri] = prefix

    def begin(name, attributes):
        nonlocal count
        count += 1
        if count > _MOST_ELEMENTS or len(stack) >= _DEEPEST:
            raise ValueError(
                f"XMP of more than {_MOST_ELEMENTS} elements, or more than {_DEEPEST} "
                "one in the other, is refused."
            )
        # A prefix that is declared again no longer stands for what it stood for.
        taken = set(declared.values())
        scope = {u: p for u, p in scopes[-1].items() if p not in taken} | declared
        declared.clear()
        scopes.append(scope)
        start = parser.CurrentByteIndex
        end = _tag_end(content, start)
        tag = re.match(rb"<([^\s/>]+)", content[start:end])
        element = Element(
            _name(name),
            {_name(key): value for key, value in attributes.items()},
            scope,
            tag[1].decode() if tag else "",
            start,
            end,
        )
        if content[end - 2 : end] == b"/>":
            element.inside_end = element.end = end
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)

    def finish(_):
        element = stack.pop()
        scopes.pop()
        if not element.end:
            element.inside_end = parser.CurrentByteIndex
            element.end = content.index(b">", element.inside_end) + 1

    def add_text(text):
        if stack:
            stack[-1].text += text

    def refuse(*_):
        raise ValueError("XMP with a document type (<!DOCTYPE ...>) is refused.")

    parser.StartNamespaceDeclHandler = declare
    parser.StartElementHandler = begin
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = add_text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(f"XMP that is no XML: {error}.") from error
    return roots[0]


def _name(name: str) -> Name:
    uri, _, local = name.rpartition(_SEPARATOR)
    return uri, local


def _tag_end(content: bytes, start: int) -> int:
    """Where the start tag that begins at `start` ends: `>` may stand in its values."""
    found = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""").match(content, start)
    assert found is not None, "expat has read it"
    return found.end()
