"""File systems in memory, for benchmarks that fill disks."""

import contextlib
import subprocess


@contextlib.contextmanager
def small_disk(folder, megabytes, options=""):
    """Mounts a file system in memory, where one may; yields whether it did."""
    folder.mkdir(exist_ok=True)
    size = f"size={megabytes}m{options}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "none", folder]
    try:
        mounted = not subprocess.run(mount, capture_output=True).returncode
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def filled(folder):
    """Fills the disk of a folder but for it; yields the file that fills it."""
    filler = folder.parent / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield filler
    finally:
        filler.unlink()
