"""The earlier run that `--extend` names, whose encoder and vectors are taken over."""

import dataclasses

import numpy as np

from annotator import loading
from annotator.config import Config
from annotator.runs import settings_file
from annotator.runs.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Extended:
    """A trained tagger that is given more images and words.

    Attributes:
        files: `Workdir` of its run.
    """

    files: Workdir

    @classmethod
    def of(cls, config: Config) -> "Extended | None":
        """The tagger that `config.extend` names, if any.

        Raises:
            FileNotFoundError: If there is no run.
            ValueError: If it holds no trained tagger, or one whose vectors cannot be
                compared with those that `config` makes.
        """
        if not config.extend:
            return None
        other = settings_file.load(config.extend)
        name = config.different_encoding(other)
        if name:
            raise ValueError(
                f"The vectors of --extend={config.extend} were made with "
                f"{name}={getattr(other, name)}, these would be with "
                f"{getattr(config, name)}: they cannot be compared."
            )
        run_files = Workdir(config.extend)
        if not (run_files.encoder.is_file() and run_files.tags.is_file()):
            raise ValueError(f"--extend={config.extend} holds no trained tagger.")
        return cls(run_files)

    def vectors(self) -> np.ndarray:
        """Its images' vectors: float32 `[N, d]`, a memory map."""
        return loading.array(self.files.vectors, mmap_mode="r")

    def tags(self) -> tuple[list[str], np.ndarray, int]:
        """Its words, its images' tags, bool `[N, W]`, and its whitening's images."""
        stored = loading.arrays(self.files.tags)
        words, tags = stored["words"].tolist(), stored["tags"]
        return words, tags, int(stored["whitening_rows"])
