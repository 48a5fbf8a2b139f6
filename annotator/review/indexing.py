"""The reading of photographs into a library, in a thread beside the page."""

import itertools
import threading
from typing import Any

import numpy as np

from annotator import files
from annotator.annotation.listing import list_images, read_image
from annotator.images.photos import graph_content
from annotator.images.read_ahead import map_ahead, size_of
from annotator.library.library import Library, Photograph, file_states
from annotator.review.keywords import import_keywords
from annotator.review.photograph_encoder import PhotographEncoder
from annotator.review.session import Session

_PIECE = 64  # photographs after which what was read is kept


class Indexer:
    """Reads what is new or changed: sizes, thumbnails, vectors and captions.

    One process at a time reads for a library; others wait and take in what it wrote.

    Args:
        library: The library.
        session: Its session.
        encoder: The model.
    """

    def __init__(
        self, library: Library, session: Session, encoder: PhotographEncoder
    ) -> None:
        self._library = library
        self._session = session
        self._encoder = encoder
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._state: dict[str, Any] = {"phase": "listing", "done": 0, "total": 0}
        self._sizes: dict[int, tuple[int, int]] = {}  # of those whose thumbnail is made

    @property
    def state(self) -> dict[str, Any]:
        """JSON-ready: `phase` (`listing`, `reading`, `ready` or `failed`), `done`,
        `total`, and where it failed `error`."""
        return dict(self._state)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the photographs that are being read."""
        self._stopped.set()
        self._thread.join(60)

    def read_all(self) -> None:
        """Reads all that is to be read, in this thread."""
        states = file_states(self._library.root, list_images(self._library.root))
        self._library.update(states)
        with files.open_to_append(self._library.folder / ".lock") as file:
            files.lock(file, f"{self._library.folder} is read", wait=True)
            self._session.load_vectors()
            self._read(self._library.to_encode(self._encoder.id))
        self._state = {**self._state, "phase": "ready"}

    def _run(self):
        try:
            self.read_all()
        except Exception as error:  # the page goes on, and tells
            self._state = {**self._state, "phase": "failed", "error": str(error)}

    def _read(self, photographs: list[Photograph]) -> None:
        self._state = {"phase": "reading", "done": 0, "total": len(photographs)}
        by_name = {str(each.id): each for each in photographs}
        contents = map_ahead(self._content, photographs, ahead=8, result_bytes=size_of)
        encoded = self._encoder.encode(contents)
        while piece := list(itertools.islice(encoded, _PIECE)):
            good = [each for each in piece if each.vector is not None]
            sizes = {int(each.name): self._size(by_name[each.name]) for each in good}
            numbers = np.array([int(each.name) for each in good], int)
            if good:
                vectors = np.stack([each.vector for each in good])
                self._session.vectors.write(numbers, vectors)
            self._library.note_encoded(
                self._encoder.id,
                sizes,
                {int(e.name): e.caption for e in good if e.caption is not None},
                {int(e.name): e.error for e in piece if e.error is not None},
            )
            import_keywords(self._library, [by_name[each.name] for each in good])
            self._session.load_vectors(numbers.tolist())
            self._state = {**self._state, "done": self._state["done"] + len(piece)}
            if self._stopped.is_set():
                return

    def _content(self, photograph: Photograph) -> tuple[str, bytes | Exception]:
        try:
            path = self._library.file(photograph)
        except OSError as error:
            return str(photograph.id), error
        content = read_image(str(path))[1]
        if isinstance(content, Exception):
            return str(photograph.id), content
        thumbnails = self._library.thumbnails
        try:
            converted = graph_content(content, path, thumbnails.max_pixels)
            if converted is not content:  # here, so that nothing is converted twice
                self._sizes[photograph.id] = thumbnails.make(
                    photograph.id, photograph.modified, converted
                )[1]
        except (ValueError, OSError) as error:
            return str(photograph.id), error
        return str(photograph.id), converted

    def _size(self, photograph: Photograph) -> tuple[int, int]:
        """The size of a photograph that could be decoded; its thumbnail is made."""
        if photograph.id in self._sizes:
            return self._sizes.pop(photograph.id)
        path = self._library.file(photograph)
        try:
            return self._library.thumbnails.make(
                photograph.id, photograph.modified, path
            )[1]
        except OSError:  # the page says so where it is to be shown
            return 0, 0
