"""The file in a workdir that says whose it is: the settings of its run."""

import pathlib

from annotator import files
from annotator.config import HEADS, Config

_FILE = "config.json"


def load(workdir: str | pathlib.Path) -> Config:
    """Reads the settings of a run.

    Args:
        workdir: Folder of the run.

    Raises:
        FileNotFoundError: If `workdir` holds no run.
        ValueError: If the file is damaged, or has settings that this version of the
            package does not know.
    """
    path = pathlib.Path(workdir) / _FILE
    if not path.is_file():
        raise FileNotFoundError(f"{workdir} holds no run: there is no {path}.")
    return Config.from_json(files.read_json(path), str(path))


def claim(config: Config, workdir: str | pathlib.Path) -> None:
    """Makes a workdir a run's, or finds that it is already.

    A head that has not begun takes any settings of its own, and one that is finished
    other values of what is `exported`: its model is then exported anew. A head that is
    not asked for now keeps the settings it has.

    Args:
        config: The settings of the run.
        workdir: Its folder.

    Raises:
        ValueError: If another run, with other settings, is kept there.
    """
    path = pathlib.Path(workdir) / _FILE
    values = config.to_json()
    begun_heads = [head for head in HEADS if begun(path.parent / head)]
    if begun_heads and path.is_file():
        other = load(workdir)
        free = set(config.free())
        for head, settings in HEADS.items():
            names = settings.settings()
            if head not in begun_heads:
                free.update(names)
            elif config.task not in (head, "all"):
                free.update(names)
                values.update({name: getattr(other, name) for name in names})
            elif (path.parent / head / f"{head}.keras").is_file():
                free.update(settings.exported())
        differing = [
            f"--{name}={getattr(other, name)}"
            for name in config.settings()
            if getattr(config, name) != getattr(other, name) and name not in free
        ]
        if differing:
            raise ValueError(
                f"{workdir} holds a run with {' '.join(differing)}. Continue it "
                "with the same flags, or name another --workdir."
            )
    files.write_json(path, values)


def begun(folder: pathlib.Path) -> bool:
    """Whether something was made that other settings would have made otherwise.

    Settings that led nowhere, such as a wrong path, bind nobody.

    Args:
        folder: Folder of a head in a workdir.
    """
    first = ("vocabulary.json", "data.json", "training.json")
    return any(path.name not in first for path in folder.glob("[!.]*"))
