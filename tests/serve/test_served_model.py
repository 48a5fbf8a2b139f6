"""A SavedModel served in batches: rows of many requests together, each on its own."""

import io
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.images.decode import decode_image
from annotator.serve.served_model import BrokenInput, Overloaded, ServedModel


class Means(tf.Module):
    """Mean colors of images, without a network."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def from_bytes(self, image_bytes):
        def mean(encoded):
            pixels = tf.cast(decode_image(encoded), tf.float32)
            return tf.reduce_mean(pixels, axis=[0, 1])

        spec = tf.TensorSpec([3], tf.float32)
        return {"means": tf.map_fn(mean, image_bytes, fn_output_signature=spec)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def refuse(self, image_bytes):
        with tf.control_dependencies([tf.debugging.Assert(False, [image_bytes])]):
            return {"means": tf.identity(image_bytes)}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "rows")])
    def from_rows(self, rows):
        return {"means": tf.reduce_mean(rows, axis=1)}


@pytest.fixture(scope="module")
def saved_means(tmp_path_factory):
    folder = tmp_path_factory.mktemp("means")
    module = Means()
    signatures = {
        "serving_default": module.from_bytes,
        "rows": module.from_rows,
        "refuse": module.refuse,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


@pytest.fixture
def slow_model(saved_means, monkeypatch):
    """`(model, batches, go)`: rows of each call; the first waits until `go` is set."""
    batches, go = [], threading.Event()
    call = ServedModel._call

    def slow_call(self, batch):
        batches.append([waiting.row for waiting in batch])
        assert go.wait(60)
        return call(self, batch)

    monkeypatch.setattr(ServedModel, "_call", slow_call)
    model = ServedModel(saved_means, max_batch=3, max_waiting=8)
    yield model, batches, go
    go.set()
    model.close()


def encode(color, kind="PNG", size=(6, 5)):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, kind)
    return file.getvalue()


def results(futures):
    return [future.result(60) for future in futures]


def test_what_arrives_during_a_batch_goes_next_in_one(slow_model):
    model, batches, go = slow_model
    rows = [encode((i, 2 * i, 3 * i)) for i in range(6)]
    first = model.submit("serving_default", rows[:1])
    while not batches:
        time.sleep(0.01)
    later = [model.submit("serving_default", [row]) for row in rows[1:]]
    go.set()
    answers = results(first) + [results(x)[0] for x in later]
    assert batches == [rows[:1], rows[1:4], rows[4:]]
    for i, answer in enumerate(answers):
        np.testing.assert_allclose(answer["means"], [i, 2 * i, 3 * i])


def test_rows_that_cannot_stand_in_one_batch_do_not(slow_model):
    model, batches, go = slow_model
    go.set()
    shapes = [2, 3, 2, 3, 3, 3]
    rows = [np.full(n, i, np.float32) for i, n in enumerate(shapes)]
    found = results(model.submit("rows", rows))
    assert [answer["means"] for answer in found] == [0, 1, 2, 3, 4, 5]
    assert [[len(row) for row in batch] for batch in batches] == [[2, 2], [3] * 3, [3]]


def test_broken_rows_fail_alone(saved_means):
    model = ServedModel(saved_means, max_batch=16)
    rows = [encode((i, 0, 0)) for i in range(11)]
    rows[4], rows[9], rows[10] = b"broken bytes", b"", rows[10][:-20]
    futures = model.submit("serving_default", rows)
    for i, future in enumerate(futures):
        if i in (4, 9, 10):
            with pytest.raises(BrokenInput) as caught:
                future.result(60)
            assert "node" not in str(caught.value) and "\n" not in str(caught.value)
        else:
            np.testing.assert_allclose(future.result(60)["means"], [i, 0, 0])
    with pytest.raises(BrokenInput, match="^Not a JPEG.*begins with broken bytes and"):
        futures[4].result()
    model.close()


def test_refusal_that_quotes_any_bytes(saved_means):
    """Python cannot read such a message as text; the reason is given all the same."""
    model = ServedModel(saved_means)
    for future in model.submit("refuse", [b"\xff\xd9 one", b"\xc3( two"]):
        with pytest.raises(BrokenInput, match="^.{1,3}[( ].*(one|two)$"):
            future.result(60)
    model.close()


def test_too_many_waiting_are_refused_and_the_others_answered(slow_model):
    model, batches, go = slow_model
    first = model.submit("serving_default", [encode("red")])
    while not batches:
        time.sleep(0.01)
    waiting = model.submit("serving_default", [encode("red")] * 8)
    with pytest.raises(Overloaded, match="8 inputs wait.*at most 8 may"):
        model.submit("serving_default", [encode("red")])
    go.set()
    assert len(results(first + waiting)) == 9
    model.submit("serving_default", [encode("red")])[0].result(60)


def test_unexpected_error_ends_a_batch_but_not_the_model(saved_means, monkeypatch):
    model = ServedModel(saved_means)
    with monkeypatch.context() as patch:
        patch.setattr(ServedModel, "_call", lambda self, batch: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            results(model.submit("serving_default", [encode("red")]))
    results(model.submit("serving_default", [encode("red")]))
    model.close()


def test_a_lack_of_memory_is_not_the_images_fault(saved_means, monkeypatch):
    def call(self, batch):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(ServedModel, "_call", call)
    model = ServedModel(saved_means)
    for future in model.submit("serving_default", [encode("red")] * 2):
        with pytest.raises(Overloaded, match="memory does not suffice. Try again"):
            future.result(60)
    model.close()


def test_close_answers_those_who_wait_and_takes_no_more(slow_model):
    model, _, go = slow_model
    futures = model.submit("serving_default", [encode("red")] * 8)
    model.close()
    with pytest.raises(Overloaded, match="shut down"):
        model.submit("serving_default", [encode("red")])
    go.set()
    assert len(results(futures)) == 8
