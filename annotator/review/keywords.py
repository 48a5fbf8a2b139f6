"""Keywords that other programs read and write: taken into a library, and written."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from annotator.library.corrections import MOST_LETTERS
from annotator.library.events import Event
from annotator.library.library import Library, Photograph
from annotator.metadata import Change, read_image, sidecar_path, write_sidecar

_MOST_ERRORS = 20  # that are told


def import_keywords(
    library: Library, photographs: Iterable[Photograph]
) -> Event | None:
    """Takes a person's keywords in sidecars and image files as accepted words.

    A word that was judged in the library stays as it was judged. Of a path of words the
    last one counts. A file that cannot be read has no keywords.

    Args:
        library: The library.
        photographs: Its photographs.

    Returns:
        The event, `"import"`; `None` where there was nothing new.
    """
    photographs = list(photographs)
    judged = {
        (number, word)
        for number, word, _ in library.corrections.judgments(p.id for p in photographs)
    }
    found = []
    for photograph in photographs:
        try:
            keywords = read_image(library.file(photograph)).human
        except (OSError, ValueError):
            continue
        for keyword in keywords:
            word = " ".join(keyword.rpartition("|")[2].replace("\0", " ").split())
            if 0 < len(word) <= MOST_LETTERS and (photograph.id, word) not in judged:
                found.append((photograph.id, word, True))
    return library.corrections.judge_all(found, "import")


def write_keywords(
    library: Library, records: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Writes what a person said into XMP sidecars, `photo.jpg.xmp`.

    What is in a sidecar already stays, but for words that were rejected.

    Args:
        library: The library.
        records: As `Session.details` makes them.

    Returns:
        JSON-ready: `written`, sidecars that were changed, and `errors`, texts.
    """
    written, errors = 0, []
    for record in records:
        by_person = record["caption_by"] == "person"
        if not (record["accepted"] or record["rejected"] or by_person):
            continue
        change = Change(
            human=record["accepted"],
            rejected=record["rejected"],
            description=record["caption"] if by_person else None,
        )
        try:
            file = library.file(library.photograph(record["id"]))
            written += write_sidecar(sidecar_path(os.fspath(file)), change)
        except (OSError, ValueError) as error:
            errors.append(str(error))
    return {"written": written, "failed": len(errors), "errors": errors[:_MOST_ERRORS]}
