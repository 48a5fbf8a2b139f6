"""Values of XMP properties: arrays, alternatives by language, and structures.

XMP (ISO 16684-1) may write each in several ways; those that Adobe's toolkit, Exiv2 and
ExifTool write are read.
"""

from collections.abc import Iterator

from annotator.metadata.packet import RDF, XML, Element, Name

_CONTAINERS = {(RDF, kind) for kind in ("Bag", "Seq", "Alt")}
_ITEM = (RDF, "li")
_DESCRIPTION = (RDF, "Description")


def container(element: Element) -> Element | None:
    """The `rdf:Bag`, `rdf:Seq` or `rdf:Alt` in a property, if it is an array."""
    return next((e for e in element.children if e.name in _CONTAINERS), None)


def items(element: Element) -> list[Element]:
    """The `rdf:li` elements of a property; none if it is no array."""
    array = container(element)
    return [each for each in array.children if each.name == _ITEM] if array else []


def texts(element: Element) -> list[str]:
    """The texts of an array, or the one text of a property that is none."""
    if container(element) is None:
        return [text] if (text := element.text.strip()) else []
    return [text for item in items(element) if (text := item.text.strip())]


def languages(element: Element) -> list[tuple[str, str]]:
    """The texts of a property by language.

    Returns:
        Pairs `(language, text)` in order; the language is `x-default` where none is
        said.
    """
    if container(element) is None:
        return [("x-default", text) for text in texts(element)]
    return [
        (item.attributes.get((XML, "lang"), "x-default"), text)
        for item in items(element)
        if (text := item.text.strip())
    ]


def fields(element: Element) -> dict[Name, str]:
    """The simple fields of a structure, however it is written.

    They may be attributes, elements (`rdf:parseType="Resource"`), or either of these of
    an `rdf:Description` in it.
    """
    found = dict(_fields(element))
    for child in element.children:
        if child.name == _DESCRIPTION:
            found.update(_fields(child))
    return found


def _fields(element: Element) -> Iterator[tuple[Name, str]]:
    for name, value in element.attributes.items():
        if name[0] not in (RDF, XML):
            yield name, value
    for child in element.children:
        if child.name[0] != RDF and not child.children:
            yield child.name, child.text.strip()
