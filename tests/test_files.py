"""Files that are whole or not there, what killed processes leave, and locks."""

import errno
import os
import secrets
import subprocess
import sys
import threading

import pytest

from annotator import files

pytest.importorskip("fcntl")

# Takes the lock, says so, and keeps it until it is told to go.
HOLDER = (
    "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); "
    "print(flush=True); input()"
)


@pytest.fixture
def held(tmp_path):
    """`(path, let_go)`: a file that another process has locked."""
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        yield path, lambda: process.communicate(b"\n")
        process.kill()


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        assert temporary.parent == path.parent and temporary.suffix == ".txt"
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_text_appears_at_once(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    with files.atomic_file(path) as file:
        file.write("whole")
        file.flush()
        (temporary,) = path.parent.iterdir()
        assert temporary != path
        files.remove_leftovers([temporary])  # somebody is writing it
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]
    with pytest.raises(ZeroDivisionError), files.atomic_file(path) as file:
        file.write("half")
        raise ZeroDivisionError
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


def test_temporary_names_cannot_be_known(tmp_path):
    names = set()
    for _ in range(100):
        with files.atomic_path(tmp_path / "a.npy") as temporary:
            assert temporary.stat().st_size == 0 and not temporary.is_symlink()
            names.add(temporary)
        names.add(files.temporary_folder(tmp_path / "a"))
    assert len(names) == 200


def test_a_temporary_file_is_never_one_that_was_there(tmp_path, monkeypatch):
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("mine")
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0" * 16)
    there = tmp_path / f".annotator-{'0' * 16}.a.txt"
    for make in (
        lambda: there.symlink_to(foreign),
        lambda: there.symlink_to(tmp_path / "new.txt"),
        lambda: there.write_text("mine"),
    ):
        make()
        with pytest.raises(FileExistsError):
            files.write_text(tmp_path / "a.txt", "text")
        assert foreign.read_text() == "mine" and not (tmp_path / "new.txt").exists()
        there.unlink()


def test_names_may_be_as_long_as_the_file_system_takes(tmp_path):
    for name in ("n" * 255, "\u00fc" * 127, "n." + "s" * 253):
        files.write_text(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"
    assert len(list(tmp_path.iterdir())) == 3


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    KILLED = """
import os, sys
from annotator import files
with files.atomic_path(sys.argv[1] + "/a.npy"), files.atomic_file(sys.argv[1] + "/b"):
    files.temporary_folder(sys.argv[1] + "/export").joinpath("variables").mkdir()
    os._exit(0)
"""
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=True)
    assert len(list(tmp_path.iterdir())) == 3
    names = ("a.npy", ".lock", ".note", ".beach.jpg", ".0123abcd.txt", ".annotator.txt")
    kept = [tmp_path / name for name in names]
    for path in kept:
        path.write_bytes(b"")
    kept.append(tmp_path / f".annotator-{'0' * 16}.link")
    kept[-1].symlink_to(kept[0])
    files.remove_leftovers(tmp_path.iterdir())
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_what_grows_is_not_opened_through_a_link(tmp_path):
    foreign, path = tmp_path / "foreign", tmp_path / "o.partial"
    foreign.write_text("mine")
    for target in (foreign, tmp_path / "new"):
        path.symlink_to(target)
        with pytest.raises(OSError, match=f"{path} is a link"):
            files.open_to_append(path)
        path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match=f"{path} is no regular file"):
        files.open_to_append(path)
    path.unlink()
    for text in (b"one", b"two"):
        with files.open_to_append(path) as file:
            file.write(text)
    assert path.read_bytes() == b"onetwo"
    assert foreign.read_text() == "mine" and not (tmp_path / "new").exists()


def test_a_lock_is_refused_while_another_process_has_it(held):
    path, let_go = held
    with open(path, "ab") as file, pytest.raises(BlockingIOError, match="W is read by"):
        files.lock(file, "W is read")
    let_go()
    with open(path, "ab") as file:
        files.lock(file, "W is read")


def test_a_lock_can_be_waited_for(held, capsys):
    path, let_go = held
    events = []
    timer = threading.Timer(0.5, lambda: (events.append("let go"), let_go()))
    timer.start()
    with open(path, "ab") as file:
        files.lock(file, "W is read", wait=True)
        events.append("locked")
    timer.join()
    assert events == ["let go", "locked"]
    assert "W is read by another process: waiting for it" in capsys.readouterr().out


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert files.absolute("~/a") == files.absolute("a") == str(tmp_path / "a")
    assert files.absolute(None) is None


@pytest.mark.parametrize("name", ["taken", "taken/below"])
def test_a_place_that_takes_no_files_is_named_with_its_flag(name, tmp_path):
    (tmp_path / "taken").write_text("a file")
    folder = tmp_path / name
    message = r"taken.* cannot be written: .*place with --workdir\.$"
    with pytest.raises(OSError, match=message):
        with files.writing_to(folder, "workdir"):
            folder.mkdir(parents=True, exist_ok=True)


def test_other_errors_are_not_the_places_fault(tmp_path):
    for error in (
        FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "x")),
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/photo.jpg"),
        BlockingIOError("being written"),
    ):
        with pytest.raises(type(error)) as caught:
            with files.writing_to(tmp_path, "output"):
                raise error
        assert caught.value is error
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left on device.*--cache_dir"):
        with files.writing_to(tmp_path, "cache_dir"):
            raise full
