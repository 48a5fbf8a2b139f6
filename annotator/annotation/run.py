"""What `annotate.py` does: captions and tags for any number of images.

`records` is the part that every engine shares: images in, records out, in one process.
`annotate` is what stands around an engine: it lists what is to do and writes one file
of records. An engine is a function like `local_engine`.
"""

import contextlib
import errno
import itertools
import json
import math
import os

import numpy as np
import tensorflow as tf
import tqdm

from annotator.annotation.model import AnnotationModel, find_exports
from annotator.annotation.record_file import RecordFile, to_json
from annotator.annotation.sources import ImageTable, find_source
from annotator.images.read_ahead import decode_ahead

SIDECARS = ("txt", "json")


def annotate(
    models,
    source,
    output,
    *,
    captions=1,
    top_k=None,
    threshold=None,
    sidecars=None,
    batch_size=32,
    workers=None,
    engine=None,
):
    """Annotates images; continues a run that was cut off.

    Args:
        models: Folders of exports, as `annotation_model.find_exports` takes them.
        source: The images, as `image_sources.find_source` takes them.
        output: A `.jsonl`, `.csv` or `.parquet` file, written as `RecordFile` says.
        captions, top_k, threshold: As in `AnnotationModel`.
        sidecars: `"txt"` (the captions, a line each, and a line of tags) or `"json"`
            (the record) to also write `IMAGE.txt` or `IMAGE.json` beside each image,
            `photo.jpg.txt` for `photo.jpg`. If one cannot be written, or a file of its
            name says something else, the record has an `error` besides.
        batch_size, workers: As in `records`.
        engine: Who makes the records; `local_engine` by default.

    Returns:
        `(records, failed)`: their number, and how many of them are errors.

    Raises:
        FileNotFoundError: If there is no such model or image.
        ValueError: If a model or table is damaged, `output` belongs to another run, is
            finished and there are other images now, or lies in the table, or `sidecars`
            are asked for where images are no files.
        OSError: If a file cannot be written. The same call goes on from there.
    """
    exports = find_exports(models)
    options = {"captions": captions, "top_k": top_k, "threshold": threshold}
    settings = {
        **{
            f"{task} (SHA-256)": manifest["files"][f"{task}.keras"]
            for task, (_, manifest) in exports.items()
        },
        **options,
        "sidecars": sidecars,
        "images": os.fspath(source),
    }
    images = find_source(source)
    is_table = isinstance(images, ImageTable)
    if sidecars not in (None, *SIDECARS):
        raise ValueError(f"--sidecars must be one of {SIDECARS}, got {sidecars!r}.")
    if sidecars and is_table:
        raise ValueError(f"--sidecars need image files; --images={source} is a table.")
    if is_table and os.path.isdir(source) and _lies_in(output, source):
        raise ValueError(
            f"--output={output} lies in the table --images={source} and would become a "
            "part of it: name one elsewhere."
        )
    # Of relative names, those of a list among them, another folder makes others.
    if not os.path.isabs(source) or (os.path.isfile(source) and not is_table):
        settings["current folder"] = os.getcwd()
    total = images.count()
    if not total:
        raise FileNotFoundError(f"--images={source} holds no image files.")
    with RecordFile(output, settings) as file:
        if file.finished and file.records != total:
            raise ValueError(
                f"{output} is finished with {file.records} records, and "
                f"--images={source} now holds {total} images: name another --output."
            )
        if file.finished and not file.is_of(images.names()):
            raise ValueError(
                f"{output} is finished, and --images={source} now holds other images: "
                "name another --output."
            )
        if not file.finished:
            made = (engine or local_engine)(
                exports, options, images, file.names(), batch_size, workers
            )
            progress = tqdm.tqdm(
                total=total, initial=file.records, unit="image", desc="annotating"
            )
            with progress, contextlib.closing(made):
                for record in made:
                    if sidecars and "error" not in record:
                        _write_sidecar(record, sidecars)
                    file.append(record)
                    progress.update()
            file.finish(lambda record: csv_row(record, tuple(exports), captions))
        return file.records, file.failed


def local_engine(exports, options, images, done, batch_size, workers):
    """Makes the records of a run in this process.

    Args:
        exports: Dict from task to `(folder, manifest)`, as of `find_exports`.
        options: Dict of `captions`, `top_k` and `threshold`, as in `AnnotationModel`.
        images: `ImageFiles` or `ImageTable`.
        done: Iterator over the names of images that have records.
        batch_size, workers: As in `records`.

    Returns:
        Generator of the records of all other images, in order.
    """
    model = AnnotationModel.load(exports, **options)
    pairs = images.read(images.pieces(done, batch_size), workers, batch_size)
    return records(model, pairs, batch_size, workers)


def records(model, pairs, batch_size=32, workers=None):
    """Describes images; one that cannot be read becomes an error and the rest go on.

    Args:
        model: `AnnotationModel`.
        pairs: Iterable of `(name, content)`; `content` is the `bytes` of an image file,
            or an exception that says why there are none.
        batch_size: Images per pass of the backbone.
        workers: Threads that decode; by default as many as there are cores.

    Yields:
        One JSON-ready dict an image, in order. With a captioner: `image`, `caption`,
        `caption_score`, and if several were asked for `captions`, a list of dicts of
        `caption` and `score`, best first. With a tagger: `tags` and `tag_scores`, best
        first. If it cannot be read: `image` and `error` alone.
    """
    for names, views, errors in decoded_batches(model, pairs, batch_size, workers):
        found = iter(())
        if views is not None:
            found = _rows({k: _arrays(v) for k, v in model(views).items()})
        for name, error in zip(names, errors, strict=True):
            if error:
                yield {"image": name, "error": error}
            else:
                yield _record(name, next(found))


def decoded_batches(model, pairs, batch_size=32, workers=None):
    """The views of images, decoded in threads ahead of their use.

    Args:
        model, pairs, batch_size, workers: As in `records`.

    Yields:
        `(names, views, errors)`: `names` and `errors`, lists `[batch]`; an error is
        `None` for an image that could be read; `views` holds float32
        `[good, size, size, 3]` for each of the model's views, of the images without an
        error, or is `None` if there are none.
    """
    decoded = decode_ahead(pairs, model.resizes, workers, batch_size)
    while batch := list(itertools.islice(decoded, batch_size)):
        names, views, errors = zip(*batch, strict=True)
        good = [each for each in views if each is not None]
        stacked = [tf.stack(view) for view in zip(*good, strict=True)] or None
        yield list(names), stacked, list(errors)


def csv_row(record, tasks, captions):
    """A record as a row: several tags are separated by `;`, captions by columns."""
    row = {"image": record["image"]}
    if "captioner" in tasks:
        row["caption"] = record.get("caption")
        row["caption_score"] = record.get("caption_score")
        others = record.get("captions", [])
        for place in range(2, captions + 1):
            other = others[place - 1] if place <= len(others) else {}
            row[f"caption_{place}"] = other.get("caption")
            row[f"caption_{place}_score"] = other.get("score")
    if "tagger" in tasks:
        row["tags"] = ";".join(record.get("tags", []))
        row["tag_scores"] = ";".join(map(str, record.get("tag_scores", [])))
    row["error"] = record.get("error")
    return row


def _record(name, found):
    record = {"image": name}
    if "captioner" in found:
        texts, scores = found["captioner"]["captions"], found["captioner"]["scores"]
        record["caption"] = _text(texts[0])
        record["caption_score"] = _number(scores[0])
        if len(texts) > 1:
            # A place for which the search found nothing has no score.
            record["captions"] = [
                {"caption": _text(text), "score": _number(score)}
                for text, score in zip(texts, scores, strict=True)
                if math.isfinite(score)
            ]
    if "tagger" in found:
        tags, scores = found["tagger"]["tags"], found["tagger"]["scores"]
        kept = [(t, s) for t, s in zip(tags, scores, strict=True) if t]
        record["tags"] = [_text(tag) for tag, _ in kept]
        record["tag_scores"] = [_number(score) for _, score in kept]
    return record


def _write_sidecar(record, kind):
    """Writes a file beside an image, or puts into the record why there is none."""
    if kind == "json":
        text = to_json(record, indent=2)
    else:
        captions = record.get("captions") or [record]
        lines = [each["caption"] for each in captions if "caption" in each]
        lines += [", ".join(record["tags"])] if "tags" in record else []
        text = "\n".join(lines)
    path = f"{record['image']}.{kind}"
    try:
        if os.path.lexists(path) and not _is_sidecar(path, record, text + "\n"):
            record["error"] = (
                f"{path} exists and was not written for this: move it away, and "
                "annotate the image again without --sidecars or to another --output."
            )
            return
        # The name that a kill may leave behind is one that the next run overwrites.
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, f".annotator.{name}")
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        # On a full disk nothing will go better; a folder may be an exception.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        record["error"] = f"{path} cannot be written: {error.strerror}"


def _lies_in(path, folder):
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([path, folder]) == folder


def _is_sidecar(path, record, text):
    """Whether a file says the same, so that nothing is lost when it is written again.

    A run that was cut off leaves such files, without a record of them. The last digits
    of a score may be others then: they depend on the other images of a batch.
    """
    if not os.path.isfile(path):  # opening a pipe would wait for somebody
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        found = file.read()
    if found == text:
        return True
    with contextlib.suppress(ValueError, RecursionError):
        return _without_scores(json.loads(found)) == _without_scores(record)
    return False


def _without_scores(value):
    if isinstance(value, dict):
        return {k: _without_scores(v) for k, v in value.items() if "score" not in k}
    return [_without_scores(x) for x in value] if isinstance(value, list) else value


def _rows(found):
    """The results of one image after the other, from those of a batch."""
    size = len(next(iter(next(iter(found.values())).values())))
    for row in range(size):
        yield {
            task: {key: values[row] for key, values in outputs.items()}
            for task, outputs in found.items()
        }


def _arrays(outputs):
    return {key: np.asarray(value) for key, value in outputs.items()}


def _text(encoded):
    return encoded.decode("utf-8", "replace")


def _number(score):
    """Six digits: the rest is noise of the order in which numbers were added."""
    return float(f"{score:.6g}") if math.isfinite(score) else None
