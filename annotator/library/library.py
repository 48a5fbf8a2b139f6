"""A library: a folder that knows a folder of photographs, and leaves it as it is."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from annotator.config.limits import MAX_PIXELS
from annotator.library import texts
from annotator.library.corrections import Corrections
from annotator.library.database import Database
from annotator.library.thumbnails import Thumbnails
from annotator.library.vector_file import VectorFile


class Photograph(NamedTuple):
    """What a library knows of a photograph.

    Attributes:
        id: Its number, from 1 on.
        path: Its path as bytes, relative to the folder of the photographs.
        size: Bytes of its file.
        modified: When its file was changed, ns.
        width: Pixels, upright; 0 where it was not read yet.
        height: Pixels, upright.
        caption: Its caption, or an empty text.
        caption_by: Who wrote it: `"machine"`, `"person"` or nobody, an empty text.
        encoded_by: The model that its vector is of; empty where it has none.
        error: Why it cannot be read; empty where it can.
    """

    id: int
    path: bytes
    size: int
    modified: int
    width: int
    height: int
    caption: str
    caption_by: str
    encoded_by: str
    error: str


_COLUMNS = ", ".join(Photograph._fields)


class Library:
    """Photographs with their captions, words and vectors.

    In its folder lie `library.sqlite`, a file of vectors for each model, and a folder
    of thumbnails. The photographs are only read.

    Args:
        folder: The library's folder; it is made if missing.
        photographs: The folder of the photographs.
        max_pixels: How many pixels a photograph that is no JPEG may have.

    Raises:
        ValueError: When the library is of other photographs, or cannot be opened.

    Attributes:
        corrections: What a person says of them.
        thumbnails: Their thumbnails.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        photographs: str | os.PathLike,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.folder = pathlib.Path(folder)
        self.root = pathlib.Path(photographs).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = Database(self.folder / "library.sqlite")
        self.corrections = Corrections(self.database)
        self.thumbnails = Thumbnails(self.folder / "thumbnails", max_pixels)
        self._claim()

    def close(self) -> None:
        """Closes the database."""
        self.database.close()

    def update(self, files: Mapping[bytes, tuple[int, int]]) -> int:
        """Notes what files there are.

        A file that was changed is to be encoded again; what was said of it stays. One
        that is gone is not shown, and back with all that was said if it comes back.

        Args:
            files: From path, relative, to `(size, modified)`.

        Returns:
            How many are new, changed or back.
        """
        known = {
            path: (size, modified, missing)
            for path, size, modified, missing in self.database.rows(
                "SELECT path, size, modified, missing FROM photographs"
            )
        }
        changed = [
            (path, *state)
            for path, state in files.items()
            if known.get(path) != (*state, 0)
        ]
        gone = [(path,) for path in known if path not in files]
        if not changed and not any(known[path][2] == 0 for (path,) in gone):
            return 0
        with self.database.transaction() as connection:
            connection.executemany(
                "INSERT INTO photographs (path, size, modified) VALUES (?, ?, ?) "
                "ON CONFLICT (path) DO UPDATE SET missing = 0, "
                "encoded_by = CASE WHEN size = excluded.size AND modified = "
                "excluded.modified THEN encoded_by ELSE '' END, size = excluded.size, "
                "modified = excluded.modified, error = ''",
                changed,
            )
            connection.executemany(
                "UPDATE photographs SET missing = 1 WHERE path = ?", gone
            )
            numbers = connection.execute(
                "SELECT id FROM photographs WHERE id NOT IN (SELECT rowid FROM texts)"
            ).fetchall()
            texts.index_photographs(connection, [number for (number,) in numbers])
        return len(changed)

    def photographs(self, numbers: Iterable[int] | None = None) -> list[Photograph]:
        """Photographs whose files are there, in the order of their paths.

        Args:
            numbers: Their numbers; by default all.
        """
        if numbers is None:
            rows = self.database.rows(
                f"SELECT {_COLUMNS} FROM photographs WHERE NOT missing ORDER BY path"
            )
        else:
            rows = self.database.rows(
                f"SELECT {_COLUMNS} FROM photographs WHERE NOT missing AND id IN "
                "(SELECT value FROM json_each(?)) ORDER BY path",
                (json.dumps(list(numbers)),),
            )
        return [Photograph(*row) for row in rows]

    def photograph(self, number: int) -> Photograph:
        """A photograph.

        Raises:
            KeyError: When there is none of this number.
        """
        found = self.photographs([number])
        if not found:
            raise KeyError(number)
        return found[0]

    def file(self, photograph: Photograph) -> pathlib.Path:
        """The file of a photograph.

        Raises:
            FileNotFoundError: When it is gone, or a link that leads out of the folder.
        """
        path = self.root / os.fsdecode(photograph.path)
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(self.root.resolve()):
            raise FileNotFoundError(f"{path} leads out of {self.root}.")
        return resolved

    def to_encode(self, model: str) -> list[Photograph]:
        """Photographs that a model has not read yet, but for those it cannot read."""
        rows = self.database.rows(
            f"SELECT {_COLUMNS} FROM photographs WHERE NOT missing AND error = '' AND "
            "encoded_by != ? ORDER BY path",
            (model,),
        )
        return [Photograph(*row) for row in rows]

    def vectors(self, model: str, dimensions: int) -> VectorFile:
        """The file of a model's vectors, whose rows are numbers of photographs."""
        return VectorFile(self.folder / f"vectors-{model}.f16", dimensions)

    def note_encoded(
        self,
        model: str,
        sizes: Mapping[int, tuple[int, int]],
        captions: Mapping[int, str],
        errors: Mapping[int, str],
    ) -> None:
        """Notes that a model has read photographs, whose vectors are written.

        Args:
            model: The model.
            sizes: From number to `(width, height)`.
            captions: From number to caption; a person's caption stays.
            errors: From number to why it cannot be read.
        """
        with self.database.transaction() as connection:
            for number, (width, height) in sizes.items():
                connection.execute(
                    "UPDATE photographs SET encoded_by = ?, width = ?, height = ? "
                    "WHERE id = ?",
                    (model, width, height, number),
                )
            for number, caption in captions.items():
                connection.execute(
                    "UPDATE photographs SET caption = ?, caption_by = 'machine' "
                    "WHERE id = ? AND caption_by != 'person'",
                    (caption, number),
                )
            texts.index_photographs(connection, captions)
            for number, error in errors.items():
                connection.execute(
                    "UPDATE photographs SET error = ? WHERE id = ?", (error, number)
                )

    def setting(self, name: str) -> Any:
        """A value that `set` has set; `None` where none has."""
        value = self.database.value("SELECT value FROM settings WHERE name = ?", [name])
        return None if value is None else json.loads(value)

    def set(self, name: str, value: Any) -> None:
        """Sets a value, JSON-ready."""
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?)",
                (name, json.dumps(value)),
            )

    def _claim(self):
        known = self.setting("photographs")
        own = os.fsencode(self.root).hex()  # need not be UTF-8
        if known is None or (
            known != own and not os.path.isdir(os.fsdecode(bytes.fromhex(known)))
        ):  # it was moved, and what is said goes with it
            self.set("photographs", own)
        elif known != own:
            other = os.fsdecode(bytes.fromhex(known))
            self.close()
            raise ValueError(
                f"--library={self.folder} is of the photographs in {other}, not of "
                f"those in {self.root}: name another one."
            )


def default_folder(photographs: str | os.PathLike) -> pathlib.Path:
    """The folder of a library that is not told where to be.

    Args:
        photographs: The folder of the photographs.

    Returns:
        A folder of the user's data (`$XDG_DATA_HOME`, by default `~/.local/share`).
    """
    root = pathlib.Path(photographs).absolute()
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:10]
    return pathlib.Path(data, "annotator", "libraries", f"{root.name}-{digest}")


def file_states(
    root: str | os.PathLike, paths: Iterable[str]
) -> dict[bytes, tuple[int, int]]:
    """States of files, for `Library.update`; those that cannot be looked at have zeros.

    Args:
        root: The folder of the photographs.
        paths: Paths in it.

    Returns:
        From path, relative to `root`, to `(size, modified)`.
    """
    states = {}
    for path in paths:
        relative = os.fsencode(os.path.relpath(path, root))
        try:
            status = os.stat(path)
            states[relative] = (status.st_size, status.st_mtime_ns)
        except OSError:
            states[relative] = (0, 0)
    return states
