"""What a library knows of files, and what becomes of it when they change."""

import os
import sqlite3

import numpy as np
import pytest

from annotator.library.library import Library, default_folder, file_states

NAMES = [b"a.jpg", b"b.png", b"trip/c.jpg", b"trip/d.jpg"]


def encode(library, model="m"):
    photographs = library.to_encode(model)
    vectors = np.arange(3 * len(photographs)).reshape(-1, 3).astype(np.float16)
    rows = np.array([photograph.id for photograph in photographs], int)
    library.vectors(model, 3).write(rows, vectors)
    library.note_encoded(model, {int(row): (90, 60) for row in rows}, {}, {})
    return dict(zip(rows.tolist(), vectors, strict=True))


def states_of(library):
    return file_states(
        library.root, [p for p in library.root.rglob("*") if p.is_file()]
    )


def test_photographs_are_found_and_encoded_once(library):
    assert [photograph.path for photograph in library.photographs()] == NAMES
    vectors = encode(library)
    assert len(vectors) == 4 and not library.to_encode("m")
    assert len(library.to_encode("other")) == 4
    read = library.vectors("m", 3).read()
    assert read.dtype == np.float16
    for row, vector in vectors.items():
        np.testing.assert_array_equal(read[row], vector)
    assert library.update(states_of(library)) == 0


def test_a_changed_file_is_encoded_again_and_keeps_what_was_said(library):
    encode(library)
    first = library.photographs()[0]
    library.corrections.judge([first.id], "sea", True)
    path = library.root / "a.jpg"
    os.utime(path, ns=(1, first.modified + 5))
    assert library.update(states_of(library)) == 1
    assert [p.path for p in library.to_encode("m")] == [b"a.jpg"]
    assert library.corrections.judgments() == [(first.id, "sea", True)]


def test_a_file_that_is_gone_comes_back_with_what_was_said(library):
    encode(library)
    first = library.photographs()[0]
    library.corrections.judge([first.id], "sea", True)
    away = library.root.parent / "away.jpg"
    (library.root / "a.jpg").rename(away)
    library.update(states_of(library))
    assert [photograph.path for photograph in library.photographs()] == NAMES[1:]
    with pytest.raises(KeyError):
        library.photograph(first.id)
    away.rename(library.root / "a.jpg")
    library.update(states_of(library))
    assert library.photograph(first.id).path == b"a.jpg"
    assert not library.to_encode("m")


def test_names_need_not_be_text(photographs, tmp_path):
    name = os.fsdecode(b"caf\xe9 <script>'\".jpg")
    (photographs / "a.jpg").rename(photographs / name)
    library = Library(tmp_path / "library", photographs)
    library.update(states_of(library))
    (found,) = [p for p in library.photographs() if b"script" in p.path]
    assert library.file(found).name == name
    library.close()


def test_a_link_out_of_the_folder_leads_nowhere(library, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    (library.root / "link.jpg").symlink_to(secret)
    library.update(states_of(library))
    (link,) = [p for p in library.photographs() if p.path == b"link.jpg"]
    with pytest.raises(FileNotFoundError, match="leads out of"):
        library.file(link)


def test_thumbnails_are_upright_and_made_once(library):
    turned = library.photographs()[2]
    path, size = library.thumbnails.make(
        turned.id, turned.modified, library.file(turned)
    )
    assert size == (60, 92) and path.is_file()
    before = path.stat().st_mtime_ns
    again = library.thumbnails.get(turned.id, turned.modified, library.file(turned))
    assert again == path and path.stat().st_mtime_ns == before
    path.unlink()
    assert library.thumbnails.get(
        turned.id, turned.modified, library.file(turned)
    ).is_file()


def test_damaged_files_are_errors(library):
    first = library.photographs()[0]
    (library.root / "a.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(OSError):
        library.thumbnails.make(first.id, 1, library.file(first))


def test_a_library_is_of_one_folder_which_may_be_moved(library, photographs, tmp_path):
    library.close()
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ValueError, match="is of the photographs in .*photographs"):
        Library(library.folder, other)
    other.rmdir()
    photographs.rename(other)
    moved = Library(library.folder, other)
    assert len(moved.photographs()) == 4 and moved.file(moved.photographs()[0])
    moved.close()


def test_later_and_damaged_libraries_are_refused(library, photographs, tmp_path):
    library.close()
    path = library.folder / "library.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ValueError, match="made by a later version .* version 99"):
        Library(library.folder, photographs)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "library.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ValueError, match="is not a library that can be opened"):
        Library(damaged, photographs)


def test_each_folder_has_a_library_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    one, other = default_folder("/x/holidays"), default_folder("/y/holidays")
    assert one != other and one.parent == tmp_path / "annotator" / "libraries"
    assert one.name.startswith("holidays-")


def test_only_half_precision_of_the_right_length_is_written(library):
    vectors = library.vectors("m", 3)
    with pytest.raises(ValueError, match="Expected float16"):
        vectors.write(np.array([1]), np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="got float16"):
        vectors.write(np.array([1]), np.zeros((1, 4), np.float16))
    assert vectors.read().shape == (0, 3)


def test_what_ends_a_transaction_is_told_though_nothing_is_left_to_take_back(library):
    """SQLite itself takes a change back where the disk is full."""
    with pytest.raises(ZeroDivisionError):
        with library.database.transaction() as connection:
            connection.execute("ROLLBACK")
            raise ZeroDivisionError
    library.set("a", 1)
    assert library.setting("a") == 1
