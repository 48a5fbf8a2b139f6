"""What a model says of photographs for a library: vectors, captions, attention."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from annotator.annotation.model import AnnotationModel
from annotator.annotation.preset_models import preset_basis
from annotator.annotation.records import NamedContent, decoded_batches
from annotator.config.limits import MAX_PIXELS
from annotator.export.versions import MANIFEST, TEACHING, find_exports
from annotator.pictures.word_maps import word_maps
from annotator.tagger.teaching_basis import TeachingBasis

_BATCH = 16


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What a model says of a photograph.

    Attributes:
        name: As it was given.
        vector: float16 `[p]`; `None` where there is an error.
        caption: Its caption; `None` without a captioner.
        error: Why it cannot be read, or `None`.
    """

    name: str
    vector: np.ndarray | None
    caption: str | None
    error: str | None


class PhotographEncoder:
    """A tagger, and a captioner if there is one, loaded from exports.

    Args:
        paths: Folders, as `annotator.load` takes them.
        max_pixels: How many pixels a photograph that is no JPEG may have.

    Attributes:
        basis: What the tagger hands on to be taught.
        id: Tells models apart: hex digits.
        top_k: Tags per image, as exported.
        threshold: Lowest score of a tag, as exported; `None` for no limit.
        config: The settings of the tagger's training, JSON-ready.
        has_captions: Whether there is a captioner.

    Raises:
        FileNotFoundError: When there is no export.
        ValueError: When a file is altered, or no tagger can be taught.
    """

    def __init__(
        self, paths: Iterable[str | os.PathLike], max_pixels: int = MAX_PIXELS
    ) -> None:
        exports = find_exports(paths)
        if "tagger" not in exports:
            raise ValueError(
                "The page needs a tagger among --model: train one with --task=tagger."
            )
        folder, manifest = exports["tagger"]
        self.basis = _basis(folder, manifest)
        self.config: dict[str, Any] = manifest["config"]
        self.top_k = self.config["top_k"] or len(self.basis.words)
        self.threshold: float | None = self.config["threshold"]
        self._model = AnnotationModel.load(exports, max_pixels=max_pixels)
        self.has_captions = "captioner" in exports
        digests = [
            manifest["files"][name]
            for _, manifest in exports.values()
            for name in sorted(manifest["files"])
        ]
        self.id = hashlib.sha256("".join(digests).encode()).hexdigest()[:16]

    def encode(self, pairs: Iterable[NamedContent]) -> Iterator[Encoded]:
        """Reads photographs.

        Args:
            pairs: Pairs of a name and the bytes of an image file, or of why there are
                none.

        Yields:
            One `Encoded` each, in order.
        """
        for names, views, errors in decoded_batches(self._model, pairs, _BATCH):
            rows: Iterator[tuple] = iter(())
            if views is not None:
                regions = self._model.regions(views)
                vectors = self.basis.whiten(self._model.vectors(regions["tagger"]))
                captions: list[str | None] = [None] * len(vectors)
                if self.has_captions:
                    said = self._model.describe("captioner", regions["captioner"])
                    captions = [_text(each[0]) for each in said["captions"].numpy()]
                rows = zip(vectors, captions, strict=True)
            for name, error in zip(names, errors, strict=True):
                vector, caption = (None, None) if error else next(rows)
                yield Encoded(name, vector, caption, error)

    def attention(self, content: bytes, name: str = "") -> tuple[list[str], np.ndarray]:
        """Where the captioner looks at each word of a photograph's caption.

        Args:
            content: The bytes of its file.
            name: The file's name or path.

        Returns:
            `(words, maps)`: the T words of the caption, and float32
            `[T, side, side]`, the mean over the layers that attend, each map at most 1.

        Raises:
            ValueError: When there is no captioner, it does not attend to a square of
                regions, or the file cannot be read.
        """
        if not self.has_captions:
            raise ValueError("There is no captioner among --model.")
        ((_, views, (error,)),) = decoded_batches(self._model, [(name, content)], 1)
        if views is None:
            raise ValueError(error)
        details = self._model.attention(self._model.regions(views)["captioner"])
        words = _text(details["captions"].numpy()[0]).split()
        maps = word_maps(details["attention"].numpy()[0], len(words))
        if maps is None:
            raise ValueError("This captioner does not attend to a square of regions.")
        return words, maps


def _basis(folder, manifest):
    if "preset" in manifest:
        return preset_basis(folder, manifest["preset"])
    teaching = str(MANIFEST.with_name(TEACHING))
    if teaching not in manifest["files"]:
        raise ValueError(
            f"The tagger in {folder} cannot be taught: it has no {teaching}. Run its "
            "training command again, which exports it with one; a tagger of "
            "--tagger=finetuned has no vectors to teach."
        )
    return TeachingBasis.load(folder / teaching)


def _text(encoded):
    return encoded.decode("utf-8", "replace")
