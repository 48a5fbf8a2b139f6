"""Records: what a model says of each image, ready for JSON and CSV."""

import itertools
import math
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from annotator.annotation.model import AnnotationModel
from annotator.images.read_ahead import decode_ahead

Record: TypeAlias = dict[str, Any]
# The name of an image, and its file's bytes or why there are none.
NamedContent: TypeAlias = tuple[str, bytes | Exception]


def records(
    model: AnnotationModel,
    pairs: Iterable[NamedContent],
    batch_size: int = 32,
    workers: int | None = None,
) -> Generator[Record, None, None]:
    """Describes images; one that cannot be read becomes an error and the rest go on.

    Args:
        model: The model that describes them.
        pairs: Pairs `(name, content)`; `content` is the `bytes` of an image file, or an
            exception that says why there are none.
        batch_size: Images per pass of the backbone.
        workers: Threads that decode; by default as many as there are cores.

    Yields:
        One JSON-ready dict an image, in order. With a captioner: `image`, `caption`,
        `caption_score`, `caption_word_probability`, how probable it is that people use
        one of its content words, too (`None` if the captioner was not calibrated), and
        if several were asked for `captions`, a list of dicts of `caption`, `score` and
        `word_probability`, best first. With a tagger: `tags` and `tag_scores`, best
        first, and if it was calibrated `tag_probabilities`. If it cannot be read:
        `image` and `error` alone.
    """
    for names, views, errors in decoded_batches(model, pairs, batch_size, workers):
        descriptions: Iterator[dict] = iter(())
        if views is not None:
            descriptions = _rows(
                {task: _arrays(outputs) for task, outputs in model(views).items()}
            )
        for name, error in zip(names, errors, strict=True):
            if error:
                yield {"image": name, "error": error}
            else:
                yield _record(name, next(descriptions))


def decoded_batches(
    model: AnnotationModel,
    pairs: Iterable[NamedContent],
    batch_size: int = 32,
    workers: int | None = None,
) -> Iterator[tuple[list[str], list[tf.Tensor] | None, list[str | None]]]:
    """Decodes images in threads, ahead of their use, and batches their views.

    Args:
        model: The model whose views are made.
        pairs: Pairs `(name, content)`, as `records` takes them.
        batch_size: Images per batch; the last one may have fewer.
        workers: Threads that decode; by default as many as there are cores.

    Yields:
        `(names, views, errors)`: `names` and `errors`, lists `[batch]`; an error is
        `None` for an image that could be read; `views` holds float32
        `[good, size, size, 3]` for each of the model's views, of the images without an
        error, or is `None` if there are none.
    """
    decoded = decode_ahead(pairs, model.resizes, workers, batch_size, model.max_pixels)
    while batch := list(itertools.islice(decoded, batch_size)):
        names, views, errors = zip(*batch, strict=True)
        good = [
            views_of_image for views_of_image in views if views_of_image is not None
        ]
        stacked = [tf.stack(view) for view in zip(*good, strict=True)] or None
        yield list(names), stacked, list(errors)


def csv_row(record: Record, tasks: Collection[str], captions: int) -> dict[str, Any]:
    """A record as a row: several tags are separated by `;`, captions by columns.

    Args:
        record: A record.
        tasks: The tasks that gave it: `"captioner"`, `"tagger"` or both.
        captions: How many captions there are columns for.

    Returns:
        A dict from column to value; its keys are the same for every record.
    """
    row = {"image": record["image"]}
    if "captioner" in tasks:
        row["caption"] = record.get("caption")
        row["caption_score"] = record.get("caption_score")
        row["caption_word_probability"] = record.get("caption_word_probability")
        ranked = record.get("captions", [])
        for rank in range(2, captions + 1):
            other = ranked[rank - 1] if rank <= len(ranked) else {}
            row[f"caption_{rank}"] = other.get("caption")
            row[f"caption_{rank}_score"] = other.get("score")
    if "tagger" in tasks:
        row["tags"] = ";".join(record.get("tags", []))
        row["tag_scores"] = ";".join(map(str, record.get("tag_scores", [])))
        probabilities = record.get("tag_probabilities", [])
        row["tag_probabilities"] = ";".join(map(str, probabilities))
    row["error"] = record.get("error")
    return row


def _record(name: str, description: Mapping[str, Mapping]) -> Record:
    """The record of an image from the outputs for it, by task."""
    record: Record = {"image": name}
    if "captioner" in description:
        texts = description["captioner"]["captions"]
        scores = description["captioner"]["scores"]
        record["caption"] = _text(texts[0])
        words = description["captioner"].get("word_probabilities", [None] * len(texts))
        record["caption_score"] = _number(scores[0])
        record["caption_word_probability"] = _number(words[0])
        if len(texts) > 1:
            # A beam that ended in no caption has no score.
            record["captions"] = [
                {
                    "caption": _text(text),
                    "score": _number(score),
                    "word_probability": _number(probability),
                }
                for text, score, probability in zip(texts, scores, words, strict=True)
                if math.isfinite(score)
            ]
    if "tagger" in description:
        tags = description["tagger"]["tags"]
        scores = description["tagger"]["scores"]
        kept = [(tag, score) for tag, score in zip(tags, scores, strict=True) if tag]
        record["tags"] = [_text(tag) for tag, _ in kept]
        record["tag_scores"] = [_number(score) for _, score in kept]
        if "probabilities" in description["tagger"]:
            probabilities = description["tagger"]["probabilities"]
            record["tag_probabilities"] = [
                _number(probability)
                for tag, probability in zip(tags, probabilities, strict=True)
                if tag
            ]
    return record


def _rows(outputs_by_task: dict[str, dict[str, np.ndarray]]) -> Iterator[dict]:
    """The results of one image after the other, from those of a batch."""
    first_outputs = next(iter(outputs_by_task.values()))
    batch_size = len(next(iter(first_outputs.values())))
    for row in range(batch_size):
        yield {
            task: {key: values[row] for key, values in outputs.items()}
            for task, outputs in outputs_by_task.items()
        }


def _arrays(outputs):
    return {key: np.asarray(value) for key, value in outputs.items()}


def _text(encoded):
    return encoded.decode("utf-8", "replace")


def _number(score):
    """Six digits: the rest is noise of the order in which numbers were added."""
    if score is None or not math.isfinite(score):
        return None
    return float(f"{score:.6g}")
