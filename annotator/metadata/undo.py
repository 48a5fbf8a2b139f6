"""Taking back what a run wrote beside images."""

import dataclasses
import os
from collections.abc import Iterator

from annotator.metadata.edit import Change, edit, is_empty
from annotator.metadata.embedding import MOST_BYTES, Exiv2, embed
from annotator.metadata.journal import Entry, Journal, digest
from annotator.metadata.keywords import folded, read_keywords
from annotator.metadata.packet import Packet
from annotator.metadata.patch import apply_patch, is_patch, leads_to
from annotator.metadata.sidecar import read_file, write_file


@dataclasses.dataclass
class Undone:
    """What became of the sidecars of a run.

    Attributes:
        restored: How many are what they were before the run.
        edited: How many were edited since: of these, what the run wrote was taken out.
        left: Paths, and why each was left as it is.
    """

    restored: int = 0
    edited: int = 0
    left: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def undo(journal: Journal, run: str) -> Undone:
    """Takes back all that a run wrote; what was edited since stays.

    A sidecar that is as the run left it becomes what it was before, to the byte, or
    goes if it did not exist; so does an image that it wrote into. Of an image that was
    edited since, the run's words and caption are taken out. In an XMP sidecar that was
    edited since, they give way to those that they replaced, and the edits stay. Taking
    back twice does no more than once.

    Args:
        journal: Where the run noted what it wrote.
        run: The run.

    Returns:
        What became of its sidecars.

    Raises:
        ValueError: When the journal knows no such run.
    """
    if run not in journal.runs():
        known = ", ".join(journal.runs()[:5]) or "none"
        raise ValueError(
            f"{journal.path} knows no run {run!r}; the last ones are: {known}. If it "
            "ran on another machine or as another user, name its photographs: --images."
        )
    undone = Undone()
    others = [other for other in journal.runs(undone=True) if other != run]
    for entry in journal.entries(run):
        try:
            _undo_entry(entry, run, others, undone)
        except (ValueError, OSError, ModuleNotFoundError) as error:
            undone.left.append((entry.path, str(error)))
    journal.mark_undone(run)
    return undone


def undo_in_folder(folder: str | os.PathLike[str], run: str) -> Undone:
    """Takes a run's words and captions out of all XMP sidecars below a folder.

    Args:
        folder: The folder; linked ones in it are not followed.
        run: The run.

    Returns:
        What became of the sidecars that had any.

    Raises:
        NotADirectoryError: When there is no such folder.
    """
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"--images={folder} is no folder.")
    undone = Undone()
    for path in _sidecars_below(folder):
        try:
            before = read_file(path)
            if before is None or run.encode() not in before:
                continue
            after = edit(before, Change(without_run=run))
            if after != before:
                _put(path, None if is_empty(after) else after)
                undone.edited += 1
        except (ValueError, OSError) as error:
            undone.left.append((path, str(error)))
    return undone


def _undo_entry(entry: Entry, run: str, others: list[str], undone: Undone) -> None:
    if is_patch(entry.before):
        _undo_image(entry, run, others, undone)
        return
    current = read_file(entry.path)
    is_xmp = entry.path.lower().endswith(".xmp")
    if current is not None and digest(current) == entry.after:
        before = entry.before
        if is_xmp and before is not None:
            before = _without(before, others)
        _put(entry.path, before)
        undone.restored += 1
    elif current == entry.before:  # a kill came before it was written
        undone.restored += 1
    elif current is None:
        undone.left.append((entry.path, "somebody removed it"))
    elif is_xmp:
        after = _taken_back(current, entry.before, run, others)
        is_left = not (entry.before is None and is_empty(after))
        if after != current:
            _put(entry.path, after if is_left else None)
        undone.edited += 1
    else:
        undone.left.append((entry.path, "somebody edited it"))


def _undo_image(entry, run, others, undone):
    """Takes back what was written into an image file; `entry.before` is a patch."""
    current = read_file(entry.path, MOST_BYTES)
    if current is None:
        undone.left.append((entry.path, "somebody removed it"))
        return
    gone = others
    if digest(current) == entry.after:
        write_file(entry.path, apply_patch(entry.before, current))
        undone.restored += 1
    elif leads_to(entry.before, current):  # a kill came before it was written
        undone.restored += 1
    else:
        gone = [run, *others]
        undone.edited += 1
    if gone:
        with Exiv2() as exiv2:
            packet = exiv2.read(entry.path) or b""
            for each in gone:
                if each.encode() in packet:
                    embed(entry.path, Change(without_run=each), exiv2)


def _taken_back(current, before, run, others):
    """A packet that was edited since, with what the run had replaced."""
    keywords = read_keywords(Packet(current))
    replaced = read_keywords(Packet(_without(before, others) or _nothing()))
    taken_out = {folded(mark.text) for mark in keywords.rejected}
    again = [m for m in replaced.machine if folded(m.text) not in taken_out]
    own_words = any(m.run == run for m in (*keywords.machine, *keywords.rejected))
    own_caption = keywords.caption is not None and keywords.caption.run == run
    return edit(
        current,
        Change(
            without_run=run,
            machine=again if own_words else None,
            caption=replaced.caption if own_caption else None,
        ),
    )


def _without(content, runs):
    """A packet without what runs wrote that were taken back before."""
    if content is None:
        return None
    for run in runs:
        if run.encode() in content:
            content = edit(content, Change(without_run=run))
    return None if content == _nothing() else content


def _nothing() -> bytes:
    """The packet that a run begins with where there is none."""
    return edit(None, Change())


def _put(path: str, content: bytes | None) -> None:
    if content is None:
        os.unlink(path)
    else:
        write_file(path, content)


def _sidecars_below(folder: str | os.PathLike[str]) -> Iterator[str]:
    for root, folders, names in os.walk(os.fspath(folder)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(".xmp") and not name.startswith("."):
                yield os.path.join(root, name)
