"""From a request to its answer, in this process: what fails is named."""

import asyncio
import concurrent.futures
import json

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("uvicorn", reason='needs pip install ".[serve]"')


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ((None, "BrokenInput"), 400),
        ((None, "Overloaded", "BrokenInput"), 503),
        (("RuntimeError", None, "Overloaded"), 500),
    ],
)
def test_whatever_fails_is_named_and_the_others_answered(kinds, status):
    from annotator.serve import predictor, served_model

    class Model:
        inputs = {"serving_default": tf.TensorSpec([None], tf.string, "image_bytes")}

        def submit(self, signature, rows):
            futures = [concurrent.futures.Future() for _ in rows]
            for future, kind in zip(futures, kinds, strict=True):
                if kind is None:
                    future.set_result({"score": np.float32(1)})
                else:
                    error = getattr(served_model, kind, RuntimeError)
                    future.set_exception(error(f"a {kind}"))
            return futures

    model = predictor.Predictor("captioner", "1", Model(), {})
    instances = [{"b64": ""}] * len(kinds)
    with pytest.raises(predictor.FailedInstances) as caught:
        asyncio.run(model.predict(json.dumps({"instances": instances}).encode()))
    assert caught.value.status == status
    named = {each["instance"]: each["error"] for each in caught.value.body["errors"]}
    assert named == {i: f"a {kind}" for i, kind in enumerate(kinds) if kind}
    answered = [None if kind else {"score": 1.0} for kind in kinds]
    assert caught.value.body["predictions"] == answered


def test_answers_have_no_infinity():
    """JSON has none, and the answer with the errors would fail over it."""
    from annotator.serve.predictor import Predictor

    class Unfilled:
        inputs = {"serving_default": tf.TensorSpec([None], tf.string, "image_bytes")}

        def submit(self, signature, rows):
            future = concurrent.futures.Future()
            scores = np.float32([[-0.5, -np.inf], [np.nan, np.inf]])
            future.set_result({"score": np.float32(-np.inf), "scores": scores})
            return [future] * len(rows)

    predictor = Predictor("captioner", "1", Unfilled(), {})
    finite = {"score": None, "scores": [[-0.5, None], [None, None]]}
    good = {"b64": ""}
    answer = asyncio.run(predictor.predict(json.dumps({"instances": [good]}).encode()))
    assert answer == {"predictions": [finite]}
    with pytest.raises(BaseException, match="Instance 1") as caught:
        asyncio.run(predictor.predict(json.dumps({"instances": [good, 7]}).encode()))
    assert caught.value.body["predictions"] == [finite, None]
    json.dumps(caught.value.body, allow_nan=False)
