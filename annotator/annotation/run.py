"""A run over many images: captions and tags, in one file of records.

`annotate` is what stands around an engine: it lists what is to do, writes what the
engine gives and goes on where an earlier try stopped. An engine is a function like
`local_engine`.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from annotator.annotation.model import AnnotationModel
from annotator.annotation.record_file import RecordFile
from annotator.annotation.records import Record, csv_row, records
from annotator.annotation.sidecars import (
    SIDECARS,
    SidecarOptions,
    write_into_image,
    write_sidecar,
)
from annotator.annotation.sources import Source, TableSource, find_source
from annotator.config.limits import MAX_PIXELS
from annotator.config.watchdog import Watchdog
from annotator.export.versions import Exports, find_exports, model_digest
from annotator.metadata.embedding import Exiv2
from annotator.metadata.journal import Journal
from annotator.tagger.rules.word_rules import WordRules
from annotator.terminal.progress import bar

# Longer than a batch takes anywhere, or a job of Spark that waits for its machines.
_STALL_SECONDS = 1800


def annotate(
    models: Iterable[str | os.PathLike],
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    captions: int = 1,
    top_k: int | None = None,
    threshold: float | None = None,
    words: WordRules | None = None,
    precision: float | None = None,
    sidecars: str | None = None,
    sidecar_options: SidecarOptions | None = None,
    embed: bool = False,
    csv_formulas: bool = False,
    max_pixels: int = MAX_PIXELS,
    batch_size: int = 32,
    workers: int | None = None,
    engine: Callable[..., Generator[Record, None, None]] | None = None,
) -> tuple[int, int]:
    """Annotates images; continues a run that was cut off.

    Args:
        models: Folders of exports, as `find_exports` takes them.
        source: The images, as `find_source` takes them.
        output: A `.jsonl`, `.csv` or `.parquet` file, written as `RecordFile` says.
        captions: Captions per image, best first.
        top_k: Tags per image at most, as in `AnnotationModel`.
        threshold: Lowest score of a tag, as in `AnnotationModel`.
        words: Rules on the tags' words, as in `AnnotationModel`.
        precision: How many of the images that get a word are to have it, as in
            `AnnotationModel.load`.
        sidecars: One of `SIDECARS`, to also write a file beside each image, see
            `write_sidecar`. If one cannot be written, or a file of its name says
            something else, the record has an `error` besides.
        sidecar_options: Their names, policy and language; the rest is filled in here.
        embed: Whether keywords and caption are also written into the image files, see
            `write_into_image`.
        csv_formulas: Whether text of a CSV file that begins like a formula (with `=`,
            `+`, `-` or `@`) is written as it is. By default an apostrophe stands before
            it, so that no spreadsheet runs it.
        max_pixels: How many pixels an image that is no JPEG may have.
        batch_size: Images per pass of the backbone.
        workers: Threads that decode; by default as many as there are cores.
        engine: Function that makes the records; `local_engine` by default.

    Returns:
        `(records, failed)`: their number, and how many of them are errors.

    Raises:
        FileNotFoundError: When there is no such model or image.
        ValueError: When a model or table is damaged, `output` belongs to another run,
            is finished and there are other images now, or lies in the table, or
            `sidecars` or `embed` are asked for where images are no files.
        ModuleNotFoundError: When `embed` needs what is not installed.
        OSError: When a file cannot be written. The same call goes on from there.
    """
    exports = find_exports(models)
    options: dict[str, Any] = {
        "captions": captions,
        "top_k": top_k,
        "threshold": threshold,
    }
    if words is not None:
        options["words"] = words
    if precision is not None:
        options["precision"] = precision
    if max_pixels != MAX_PIXELS:
        options["max_pixels"] = max_pixels
    images = find_source(source)
    _check_paths(images, source, output, sidecars, embed)
    naming = sidecar_options or SidecarOptions()
    settings = _settings(exports, options, images, source, sidecars, naming)
    if csv_formulas:
        settings["csv_formulas"] = True
    if embed:
        settings["embed"] = True
    total = images.count()
    if not total:
        raise FileNotFoundError(f"--images={source} holds no image files.")
    with RecordFile(output, settings, batch_size) as file:
        if file.finished:
            _check_finished(file, images, total, source, output)
            return file.records, file.failed
        writes = sidecars or embed
        made = (engine or local_engine)(
            exports, options, images, file.names(), batch_size, workers
        )
        progress = bar("annotating", total, "image", file.records)
        watchdog = Watchdog(
            _STALL_SECONDS,
            f"error: nothing was done for {_STALL_SECONDS} s, so this run was ended; "
            f"the same command goes on with {output}",
        )
        with (
            progress,
            contextlib.closing(made),
            watchdog,
            Exiv2() if embed else contextlib.nullcontext() as exiv2,
            Journal() if writes else contextlib.nullcontext() as notes,
        ):
            if notes is not None:
                notes.begin(file.run, output)
            naming = dataclasses.replace(
                naming, run=file.run, models=_models(exports), journal=notes
            )
            for record in made:
                watchdog.alive()
                if sidecars and "error" not in record:
                    write_sidecar(record, sidecars, naming)
                if exiv2 is not None and "error" not in record:
                    write_into_image(record, exiv2, naming)
                file.append(record)
                progress.update()
        file.finish(lambda record: csv_row(record, tuple(exports), captions))
        return file.records, file.failed


def local_engine(
    exports: Exports,
    options: dict[str, Any],
    images: Source,
    done: Iterable[str],
    batch_size: int,
    workers: int | None,
) -> Generator[Record, None, None]:
    """Makes the records of a run in this process.

    Args:
        exports: Dict from task to `(folder, manifest)`, as of `find_exports`.
        options: Dict of `captions`, `top_k`, `threshold` and maybe `words`,
            `precision` and `max_pixels`, as in `AnnotationModel.load`.
        images: What is to be annotated.
        done: Names of the images that have records.
        batch_size: Images per pass of the backbone.
        workers: Threads that decode; by default as many as there are cores.

    Returns:
        Generator of the records of all other images, in order.
    """
    model = AnnotationModel.load(exports, **options)
    pieces: Iterator[Any] = images.pieces(done, batch_size)
    pairs = images.read(pieces, workers, batch_size)
    return records(model, pairs, batch_size, workers)


def _check_paths(images, source, output, sidecars, embed):
    """Refuses outputs and sidecars that have no place."""
    is_table = isinstance(images, TableSource)
    if sidecars is not None and sidecars not in SIDECARS:
        raise ValueError(f"--sidecars must be one of {SIDECARS}, got {sidecars!r}.")
    if (sidecars or embed) and is_table:
        flag = "--sidecars need" if sidecars else "--embed needs"
        raise ValueError(f"{flag} image files; --images={source} is a table.")
    if is_table and os.path.isdir(source) and _lies_in(output, source):
        raise ValueError(
            f"--output={output} lies in the table --images={source} and would become a "
            "part of it: name one elsewhere."
        )


def _models(exports):
    """From task to what sidecars say of its model: a name and a version."""
    models = {}
    for task, (folder, manifest) in exports.items():
        parts = pathlib.Path(folder).parts
        if "preset" not in manifest:  # WORKDIR/export/TASK/1 is named by its workdir
            parts = tuple(p for p in parts[:-1] if p not in ("export", task, os.sep))
        checksum = model_digest(manifest)
        models[task] = (parts[-1] if parts else task, f"sha256:{checksum[:16]}")
    return models


def _settings(exports, options, images, source, sidecars, naming):
    """All that makes the records; a run goes on only where all of it is the same."""
    settings = {
        f"{task} (SHA-256)": model_digest(manifest)
        for task, (_, manifest) in exports.items()
    }
    if "words" in options:
        options = {**options, "words": dataclasses.asdict(options["words"])}
        options = json.loads(json.dumps(options))  # tuples are read as lists
    settings |= {**options, "sidecars": sidecars, "images": os.fspath(source)}
    for name in ("name", "policy", "language"):
        if getattr(naming, name) != getattr(SidecarOptions(), name):
            settings[f"sidecars' {name}"] = getattr(naming, name)
    # Of relative names, those of a list among them, another folder makes others.
    is_list = os.path.isfile(source) and not isinstance(images, TableSource)
    if is_list or not os.path.isabs(source):
        settings["current folder"] = os.getcwd()
    return settings


def _check_finished(file, images, total, source, output):
    """Refuses a finished output if the images are others now."""
    if file.records != total:
        raise ValueError(
            f"{output} is finished with {file.records} records, and "
            f"--images={source} now holds {total} images: name another --output."
        )
    if not file.is_of(images.names()):
        raise ValueError(
            f"{output} is finished, and --images={source} now holds other images: "
            "name another --output."
        )


def _lies_in(path, folder):
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([path, folder]) == folder
