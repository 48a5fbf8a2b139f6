"""Keywords of a photograph, a person's and a machine's, as XMP says them.

| property | form |
|---|---|
| `dc:subject` | the words alone: `dog` |
| `lr:hierarchicalSubject` | paths of words: <code>animal&#124;dog</code> |
| `digiKam:TagsList` | the same, with slashes: `animal/dog` |
| `dc:description` | a caption, by language |
| `annotator:Keywords`, `annotator:Caption` | marks: what a machine wrote |

A keyword is here always a path, with `|` between its words; a word that belongs to
no other is a path of one.
"""

import dataclasses
from collections.abc import Iterable

from annotator.metadata import properties
from annotator.metadata.packet import Element, Name, Packet

DC = "http://purl.org/dc/elements/1.1/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
# Of what only this package reads. It ends in a slash, since names are put behind it.
ANNOTATOR = "urn:keras-annotator:xmp:1.0/"

SUBJECT: Name = (DC, "subject")
HIERARCHICAL_SUBJECT: Name = (LIGHTROOM, "hierarchicalSubject")
TAGS_LIST: Name = (DIGIKAM, "TagsList")
DESCRIPTION: Name = (DC, "description")
MARKS: Name = (ANNOTATOR, "Keywords")
CAPTION_MARK: Name = (ANNOTATOR, "Caption")

REJECTED = "rejected"


@dataclasses.dataclass(frozen=True)
class Mark:
    """What a machine wrote: a keyword or a caption.

    Attributes:
        text: The keyword, as a path, or the caption.
        score: The model's score of it.
        model: The model's name.
        version: The model's version, such as a checksum.
        run: The run that wrote it.
        time: When, in ISO 8601.
        language: Of a caption: its language, such as `en`.
        state: `"rejected"` once it was seen that somebody took the keyword out: if it
            is there again, a person wrote it.
    """

    text: str
    score: float | None = None
    model: str = ""
    version: str = ""
    run: str = ""
    time: str = ""
    language: str = ""
    state: str = ""


@dataclasses.dataclass(frozen=True)
class Keywords:
    """What is said of a photograph, and by whom.

    Attributes:
        human: Keywords of people and of other programs.
        machine: Marks of keywords that a machine wrote and nobody took out.
        rejected: Marks of keywords that a machine wrote and somebody took out.
        description: The description, a person's or a machine's; the default language's
            where there are several.
        caption: The mark of the description, if a machine wrote it.
    """

    human: tuple[str, ...] = ()
    machine: tuple[Mark, ...] = ()
    rejected: tuple[Mark, ...] = ()
    description: str | None = None
    caption: Mark | None = None


def leaf(keyword: str) -> str:
    """The last word of a keyword, which stands for it where there are no paths."""
    return keyword.rpartition("|")[2]


def folded(keyword: str) -> str:
    """What is the same for keywords that differ in case alone."""
    return keyword.casefold()


def read_keywords(packet: Packet) -> Keywords:
    """Reads who said what.

    A keyword is the machine's as long as it stands there as the machine wrote it. Where
    a person put the word into another path, it is the person's; where `dc:subject`
    lacks it, a person took it out.

    Args:
        packet: A packet, of whatever program.

    Returns:
        The keywords. A word of `dc:subject` that is part of a path of the same owner is
        not told again.
    """
    subjects = property_texts(packet, SUBJECT)
    present = {folded(subject) for subject in subjects}
    marks = own_marks(packet)
    own = {folded(mark.text) for mark in marks}
    human_paths = _unique(
        path
        for path in (
            *property_texts(packet, HIERARCHICAL_SUBJECT),
            *(tag.replace("/", "|") for tag in property_texts(packet, TAGS_LIST)),
        )
        if folded(path) not in own
    )
    human_words = {
        folded(word) for path in human_paths for word in path.split("|") if word
    }
    own_leaves = {folded(leaf(mark.text)) for mark in marks}
    flat = [s for s in subjects if folded(s) not in human_words | own_leaves]
    machine, rejected = [], []
    for mark in marks:
        word = folded(leaf(mark.text))
        if word not in present:
            rejected.append(mark)
        elif word not in human_words:
            machine.append(mark)
    description, caption = _description(packet)
    return Keywords(
        tuple(_unique([*human_paths, *flat])),
        tuple(machine),
        tuple(rejected),
        description,
        caption,
    )


def property_texts(packet: Packet, name: Name) -> list[str]:
    """The texts of an array property, in all places where it stands."""
    found = [t for e in packet.properties(name) for t in properties.texts(e)]
    value = packet.as_attribute(name)
    return found + [value.strip()] if value and value.strip() else found


def read_marks(packet: Packet) -> list[Mark]:
    """The marks of keywords, whether the keywords still stand or not."""
    elements = [e for p in packet.properties(MARKS) for e in properties.items(p)]
    return [mark for element in elements if (mark := _mark(element)).text]


def own_marks(packet: Packet) -> list[Mark]:
    """The marks but those of words that were taken out and that a person put back."""
    present = {folded(subject) for subject in property_texts(packet, SUBJECT)}
    return [
        mark
        for mark in read_marks(packet)
        if mark.state != REJECTED or folded(leaf(mark.text)) not in present
    ]


def read_caption_marks(packet: Packet) -> list[Mark]:
    """The marks of captions: one, or none."""
    found = map(_mark, packet.properties(CAPTION_MARK))
    return [mark for mark in found if mark.text]


def _description(packet):
    """The description, and its mark if it is as a machine wrote it."""
    found = [
        pair
        for element in packet.properties(DESCRIPTION)
        for pair in properties.languages(element)
    ]
    if (value := packet.as_attribute(DESCRIPTION)) is not None:
        found.append(("x-default", value))
    if not found:
        return None, None
    text = dict(reversed(found)).get("x-default", found[0][1])
    texts = {each for _, each in found}
    marks = [mark for mark in read_caption_marks(packet) if {mark.text} == texts]
    return text, (marks[0] if marks else None)


def _mark(element: Element) -> Mark:
    found = {
        name: value
        for (namespace, name), value in properties.fields(element).items()
        if namespace == ANNOTATOR
    }
    try:
        score = float(found["Score"])
    except (KeyError, ValueError):
        score = None
    return Mark(
        found.get("Text", ""),
        score,
        **{
            name: found.get(name.capitalize(), "")
            for name in ("model", "version", "run", "time", "language", "state")
        },
    )


def _unique(keywords: Iterable[str]) -> list[str]:
    """Keywords without repetition; of those that differ in case alone, the first."""
    return list({folded(k): k for k in reversed(list(keywords))}.values())[::-1]
