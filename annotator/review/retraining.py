"""The usual training, begun from the page on the corrected library."""

import json
import os
import pathlib
import subprocess
import threading
from collections.abc import Mapping
from typing import Any

from annotator import files
from annotator.config import Config
from annotator.config.python_process import python_command
from annotator.library import exports
from annotator.review.session import Session

# What is not taken over from the tagger's own training.
_OWN = {"task", "dataset", "data_dir", "train_split", "extend", "tagger"}


class Retraining:
    """Trains a tagger anew on the accepted words, in a process of its own.

    The settings are those of the tagger that is taught. Its run, with the export, lies
    in the library's folder; each has a number.

    Args:
        session: The session.
        config: The settings of the tagger's training, JSON-ready.
    """

    def __init__(self, session: Session, config: Mapping[str, Any]) -> None:
        self._session = session
        self._config = config
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._workdir: pathlib.Path | None = None

    @property
    def state(self) -> dict[str, Any]:
        """JSON-ready: `phase` (`none`, `running`, `done` or `failed`), and if there was
        one `workdir` and `log`, its last lines."""
        if self._process is None or self._workdir is None:
            return {"phase": "none"}
        code = self._process.poll()
        phase = "running" if code is None else "failed" if code else "done"
        log = self._log(self._workdir).read_text("utf-8", "replace").splitlines()
        # A progress bar overwrites its line.
        lines = [line.split("\r")[-1] for line in log]
        return {
            "phase": phase,
            "workdir": str(self._workdir),
            "log": [line for line in lines if line.strip()][-12:],
        }

    def start(self) -> dict[str, Any]:
        """Starts a training.

        Returns:
            The state.

        Raises:
            ValueError: When one is running, or there is nothing to learn.
        """
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                raise ValueError("A training is running already.")
            library = self._session.library
            number = 1
            while (library.folder / f"run-{number}").exists():
                number += 1
            workdir = library.folder / f"run-{number}"
            data = workdir / "data"
            exports.write_data_set(data, library.root, self._session.all_details())
            with files.open_to_append(self._log(workdir)) as log:
                self._process = subprocess.Popen(
                    self.command(workdir, data),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # it outlives the page
                )
            self._workdir = workdir
            return self.state

    def command(self, workdir: str | os.PathLike, data: str | os.PathLike) -> list[str]:
        """The command that trains.

        Args:
            workdir: Its folder.
            data: The data set, a `folder`.
        """
        defaults = json.loads(json.dumps(Config(task="tagger").to_json()))
        flags = {
            name: value
            for name, value in self._config.items()
            if name in defaults
            and name not in _OWN
            and value not in (None, defaults[name])
        }
        return [
            *python_command("annotator.__main__", "train"),
            "--task=tagger",
            "--dataset=folder",
            f"--data_dir={data}",
            f"--workdir={workdir}",
            "--skip_bad_images",
            *(_flag(name, value) for name, value in flags.items()),
        ]

    def _log(self, workdir):
        return workdir / "log.txt"


def _flag(name, value):
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    return f"--{name}={value}"
