"""The annotator: a loaded model that describes whatever images it is given."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias, overload

from annotator.annotation.describing.description import Description, ImageError
from annotator.annotation.describing.image_inputs import (
    ImageInput,
    is_one_image,
    read_taken,
    take_image,
)
from annotator.annotation.model import AnnotationModel
from annotator.annotation.records import records
from annotator.config.limits import MAX_PIXELS
from annotator.export import preset as preset_files
from annotator.export.preset import DEFAULT_PRESET
from annotator.export.versions import find_exports
from annotator.images.read_ahead import map_ahead, size_of
from annotator.tagger.rules.word_rules import WordRules

Errors: TypeAlias = Literal["raise", "return"]
_ERRORS = ("raise", "return")


def load(
    path: str | os.PathLike | Iterable[str | os.PathLike] | None = None,
    captions: int = 1,
    top_k: int | None = None,
    threshold: float | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    preset: str | None = None,
    words: WordRules | None = None,
    precision: float | None = None,
    max_pixels: int = MAX_PIXELS,
) -> "Annotator":
    """Loads a model: one that comes with the package, or what a training exported.

    Example:
        ```python
        import annotator

        describe = annotator.load()
        print(describe("photo.jpg").caption)
        ```

    Args:
        path: The workdir of a run, its `export` folder, or the folder of a model or of
            a version in that; the folder of a preset; or several of these, a
            captioner's and a tagger's. By default `preset`.
        captions: Captions per image, best first.
        top_k: Tags per image at most (0: as many as there are words); `None` for what
            the export was made with.
        threshold: Lowest score of a tag; `None` as above.
        batch_size: Images per pass of the backbone.
        workers: Threads that read and decode; by default as many as there are cores.
        preset: Name of a model that comes with the package: `"photos"`, for
            photographs, writes captions and picks tags; `"photos_fast"` is 2.7 times as
            fast, for many of them.
        words: Rules on the tags' words, see `annotator.tagger.rules.word_rules`.
        precision: How many of the images that get a word are to have it, such as 0.9;
            instead of `threshold`, see `AnnotationModel.load`.
        max_pixels: How many pixels an image that is no JPEG may have.

    Returns:
        An `Annotator`.

    Raises:
        FileNotFoundError: When there is no export in `path`.
        ValueError: When a file of the export is missing or altered, an option needs a
            model that is not there, or is out of range, there is no such preset, or
            both a path and a preset are named.
    """
    paths = _paths(path, preset)
    model = AnnotationModel.load(
        find_exports(paths),
        captions=captions,
        top_k=top_k,
        threshold=threshold,
        words=words,
        precision=precision,
        max_pixels=max_pixels,
    )
    return Annotator(model, batch_size, workers)


def _paths(path, name):
    if path is not None:
        if name is not None:
            raise ValueError(f"Name a path or a preset, not {path} and {name!r}.")
        return [path] if isinstance(path, str | os.PathLike) else path
    name = DEFAULT_PRESET if name is None else name
    if name not in preset_files.packaged():
        raise ValueError(
            f"There is no preset {name!r}; there are "
            f"{', '.join(preset_files.packaged())}."
        )
    return [preset_files.packaged()[name]]


class Annotator:
    """Describes images by a caption, tags, or both, as `annotate` does.

    An image is the path of an image file, the content of one (`bytes`), a uint8 array
    (`[height, width, 3]` in RGB, `[height, width]` in gray or `[height, width, 4]` with
    alpha) or a Pillow image. Arrays and Pillow images go the way that files go: equal
    pixels get equal words. As with files, a Pillow image that was opened from a JPEG
    (or made from such a one) is turned as its EXIF says; one that was opened from
    another format is left as it is.

    Example:
        ```python
        describe = annotator.load("runs/shapes")
        describe("photo.jpg")  # a Description
        describe(["photo.jpg", array])  # a list of them
        for description in describe(frames()):  # an iterator, in batches
            print(description)
        ```

    Args:
        model: The model.
        batch_size: Images per pass of the backbone.
        workers: Threads that read and decode; by default as many as there are cores.

    Attributes:
        tasks: What the model has heads for: `"captioner"`, `"tagger"` or both.
    """

    def __init__(
        self,
        model: AnnotationModel,
        batch_size: int = 32,
        workers: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        self.tasks = model.tasks
        self._model = model
        self._batch_size = batch_size
        self._workers = workers

    @overload
    def __call__(
        self, images: ImageInput, errors: Literal["raise"] = "raise"
    ) -> Description: ...

    @overload
    def __call__(
        self, images: list[Any] | tuple[Any, ...], errors: Literal["raise"] = "raise"
    ) -> list[Description]: ...

    @overload
    def __call__(
        self, images: Iterable[ImageInput], errors: Literal["raise"] = "raise"
    ) -> Iterable[Description]: ...

    @overload
    def __call__(self, images: Any, errors: Errors) -> Any: ...

    def __call__(self, images: Any, errors: Errors = "raise") -> Any:
        """Describes an image or several.

        Args:
            images: An image; a list or tuple of images; or any other iterable of
                images, such as a generator.
            errors: What comes of an image that cannot be read: `"raise"` raises an
                `ImageError`, `"return"` lets it stand in the image's place.

        Returns:
            A `Description` for an image, a list of them for a list or tuple, and what
            `iterate` returns for any other iterable.

        Raises:
            ImageError: When an image cannot be read; it names the image and says why.
        """
        if is_one_image(images):
            (description,) = self._iterate(iter([("image", images)]), errors)
            return description
        descriptions = self.iterate(images, errors)
        return list(descriptions) if isinstance(images, list | tuple) else descriptions

    @overload
    def iterate(
        self, images: Iterable[ImageInput], errors: Literal["raise"] = "raise"
    ) -> Iterator[Description]: ...

    @overload
    def iterate(
        self, images: Iterable[ImageInput], errors: Errors
    ) -> Iterator[Description | ImageError]: ...

    def iterate(
        self, images: Iterable[ImageInput], errors: Errors = "raise"
    ) -> Iterator[Any]:
        """Describes any number of images as they come.

        Args:
            images: The images. They are taken a batch or two ahead of their
                descriptions; one that was taken may be changed, such as a buffer that
                each frame of a film is written to.
            errors: As above.

        Returns:
            Iterator over a `Description` for each image, in order; where `errors` is
            `"return"` also over `ImageError`s.

        Raises:
            ImageError: When an image cannot be read and `errors` is `"raise"`; the
                iterator then ends, after the descriptions of the images before.
        """
        named = ((f"images[{i}]", image) for i, image in enumerate(images))
        return self._iterate(named, errors)

    def _iterate(self, named_images, errors):
        if errors not in _ERRORS:
            raise ValueError(f"errors must be one of {_ERRORS}, got {errors!r}.")
        taken = (take_image(image, name) for name, image in named_images)
        pairs = map_ahead(
            read_taken, taken, self._workers, self._batch_size, result_bytes=size_of
        )
        return _descriptions(
            records(self._model, pairs, self._batch_size, self._workers), errors
        )


def _descriptions(described, errors):
    for record in described:
        if "error" not in record:
            yield Description.from_record(record)
            continue
        error = ImageError(record["image"], record["error"])
        if errors == "raise":
            raise error
        yield error
