"""Changes of the keywords in XMP that leave all the rest as it is, byte for byte."""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from annotator.metadata.editor import Editor
from annotator.metadata.keywords import (
    DESCRIPTION,
    HIERARCHICAL_SUBJECT,
    REJECTED,
    SUBJECT,
    TAGS_LIST,
    Mark,
    folded,
    leaf,
    own_marks,
    read_caption_marks,
    read_keywords,
    read_marks,
)
from annotator.metadata.packet import RDF, Packet

_NEW = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:annotator="urn:keras-annotator:xmp:1.0/">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclasses.dataclass(frozen=True)
class Change:
    """What shall be otherwise in a packet.

    Attributes:
        machine: Marks of the keywords that take the place of all that a machine wrote
            before; `None` leaves these. A person's keyword, or one that a person took
            out, is not written again.
        caption: The mark of a caption that takes the place of a machine's; a person's
            description stays. `None` leaves what there is.
        no_caption: Takes a machine's caption away.
        without_run: A run all of whose marks go, and what stands as it wrote it; what
            is given as `machine` is then added to the marks of other runs.
        human: Keywords that people gave or confirmed: a machine's becomes theirs.
        rejected: Keywords that people do not want: they are taken out, and no machine
            writes them again.
        description: A person's description, in place of any other.
        language: The language of `description`, besides the default one.
    """

    machine: Sequence[Mark] | None = None
    caption: Mark | None = None
    no_caption: bool = False
    without_run: str = ""
    human: Sequence[str] = ()
    rejected: Sequence[str] = ()
    description: str | None = None
    language: str = ""


def edit(content: bytes | None, change: Change) -> bytes:
    """Changes keywords and descriptions.

    Args:
        content: A packet; `None` for one that is not there yet.
        change: What shall be otherwise.

    Returns:
        The packet; `content` itself if it says all of this already.

    Raises:
        ValueError: When `content` is no XMP that can be edited.
    """
    packet = Packet(_NEW.encode() if content is None else content)
    for name in (SUBJECT, HIERARCHICAL_SUBJECT, TAGS_LIST, DESCRIPTION):
        if packet.as_attribute(name) is not None:
            raise ValueError(
                f"{name[1]} is written as an attribute, which XMP does not allow: save "
                "it with another program first."
            )
    editor = Editor(packet)
    _edit_keywords(editor, change)
    _edit_description(editor, change)
    edited = editor.finish()
    # Programs read what they see in one place; what is not read back is a mistake.
    Packet(edited)
    return edited


def is_empty(content: bytes) -> bool:
    """Whether a packet has no property at all: all that it had was taken out.

    Args:
        content: A packet.
    """
    packet = Packet(content)
    return not any(
        description.children or any(name[0] != RDF for name in description.attributes)
        for description in packet.descriptions
    )


def _edit_keywords(editor, change):
    before = read_keywords(editor.packet)
    marks = read_marks(editor.packet)
    own = own_marks(editor.packet)
    confirmed = {folded(word) for word in change.human}
    refused = {folded(word) for word in change.rejected}
    standing, rejected = list(before.machine), list(before.rejected)
    if change.without_run:
        standing = [mark for mark in standing if mark.run != change.without_run]
        rejected = [mark for mark in rejected if mark.run != change.without_run]
    elif change.machine is not None:
        standing = []
    known = _spoken_for(before.human, rejected)
    for mark in map(_cleaned, change.machine or ()):
        if mark.text and folded(leaf(mark.text)) not in known:
            standing.append(mark)
    remembered = {folded(mark.text): mark for mark in (*standing, *rejected)}
    known = {folded(mark.text) for mark in rejected}
    for word in map(_clean, change.rejected):
        if folded(word) not in known:
            rejected.append(remembered.get(folded(word), Mark(word)))
    standing = [m for m in standing if folded(m.text) not in confirmed | refused]
    rejected = [
        dataclasses.replace(mark, state=REJECTED)
        for mark in rejected
        if folded(mark.text) not in confirmed
    ]
    human = [
        word
        for word in (*before.human, *map(_clean, change.human))
        if folded(word) not in refused
    ]
    gone = [mark.text for mark in own] + [
        word for word in before.human if folded(word) in refused
    ]
    new = [mark.text for mark in standing] + [_clean(word) for word in change.human]
    kept = {folded(part) for word in human for part in word.split("|")}
    editor.replace(
        SUBJECT,
        {leaf(word) for word in gone if folded(leaf(word)) not in kept},
        [leaf(word) for word in new],
    )
    kept = {folded(word) for word in human}
    paths = {word for word in gone if folded(word) not in kept}
    editor.replace(HIERARCHICAL_SUBJECT, paths, new)
    editor.replace(
        TAGS_LIST,
        {word.replace("|", "/") for word in paths},
        # digiKam has no way to write a slash that does not begin another tag.
        [word.replace("|", "/") for word in new if "/" not in word],
    )
    if [*standing, *rejected] != marks:
        editor.write_marks([*standing, *rejected])


def _spoken_for(human: Iterable[str], rejected: Iterable[Mark]) -> set[str]:
    """Words that are a person's, or that a person took out."""
    people = [part for word in human for part in word.split("|")]
    return {folded(word) for word in (*people, *(leaf(m.text) for m in rejected))}


def _edit_description(editor, change):
    before = read_keywords(editor.packet)
    old = read_caption_marks(editor.packet)
    if change.description is not None:
        text = _clean(change.description)
        if text != before.description or before.caption is not None:
            editor.write_description(text, change.language)
        editor.write_caption_mark(old, None)
        return
    removes = change.no_caption
    if change.without_run and before.caption:
        removes = removes or before.caption.run == change.without_run
    if change.caption is None and not removes:
        return
    is_persons = before.description is not None and before.caption is None
    caption = change.caption and _cleaned(change.caption)
    if is_persons or caption is None or not caption.text:
        if not is_persons:
            editor.write_description(None)
        editor.write_caption_mark(old, None)
        return
    if before.description != caption.text:
        editor.write_description(caption.text, caption.language)
    editor.write_caption_mark(old, caption)


def _cleaned(mark: Mark) -> Mark:
    return dataclasses.replace(mark, text=_clean(mark.text))


def _clean(text: str) -> str:
    """A text as XML can hold it, with single spaces."""
    return " ".join(_UNWRITABLE.sub(" ", text).split())
