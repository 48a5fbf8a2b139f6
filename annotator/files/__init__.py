"""Files: how they are written, locked and read, whatever is in them.

`image_formats` says which of them are images, and is imported by its name.
"""

from annotator.files.atomic import (
    atomic_file,
    atomic_path,
    lock,
    open_to_append,
    remove_leftovers,
    temporary_folder,
    writing_to,
)
from annotator.files.texts import (
    absolute,
    read_json,
    sha256,
    with_formula,
    without_formula,
    write_csv,
    write_json,
    write_text,
)

__all__ = [
    "absolute",
    "atomic_file",
    "atomic_path",
    "lock",
    "open_to_append",
    "read_json",
    "remove_leftovers",
    "sha256",
    "temporary_folder",
    "with_formula",
    "without_formula",
    "write_csv",
    "write_json",
    "write_text",
    "writing_to",
]
