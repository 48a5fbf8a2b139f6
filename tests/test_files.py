"""Files that are whole or not there, what killed processes leave, and locks."""

import errno
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


def test_nobody_else_takes_a_temporary_path(tmp_path):
    assert len({files.temporary_path(tmp_path / "a.npy") for _ in range(100)}) == 100


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    left = files.temporary_path(tmp_path / "a.npy")
    left.write_bytes(b"cut off")
    folder = files.temporary_path(tmp_path / "export")
    (folder / "variables").mkdir(parents=True)
    kept = [tmp_path / name for name in ("a.npy", ".lock", ".note", ".beach.jpg")]
    for path in kept:
        path.write_bytes(b"")
    files.remove_leftovers(tmp_path.iterdir())
    assert sorted(tmp_path.iterdir()) == sorted(kept)


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
