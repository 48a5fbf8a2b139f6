"""TensorFlow Serving's REST form of a prediction."""

import asyncio
import base64
import binascii
import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from annotator.serve.request_body import BadRequest, Encoded, image_files, parse_json
from annotator.serve.served_model import BrokenInput, Overloaded, ServedModel

_FORMS = {"instances", "inputs"}


class FailedInstances(Exception):
    """Some instances of a request could not be answered; the others are.

    Args:
        answer: What would be answered without errors, with `None` for each instance
            where there is one.
        errors: From the index of an instance to the exception that it gave.

    Attributes:
        status: HTTP status: 400 if the client is to blame for all of them, 503 if they
            may be tried again, else 500.
        body: The JSON-ready answer.
        seconds: When those of a 503 may be tried again.
    """

    def __init__(self, answer: dict[str, Any], errors: Mapping[int, Exception]) -> None:
        reasons = {index: str(error) for index, error in errors.items()}
        kinds = {type(error) for error in errors.values()}
        self.status = 400 if kinds == {BrokenInput} else 500
        if kinds - {BrokenInput} == {Overloaded}:
            self.status = 503
        self.seconds = max(getattr(each, "seconds", 1) for each in errors.values())
        first = next(iter(reasons))
        others = f" ({len(errors) - 1} more failed)" if len(errors) > 1 else ""
        super().__init__(f"Instance {first}: {reasons[first]}{others}")
        self.body = {
            "error": str(self),
            "errors": [
                {"instance": index, "error": reason}
                for index, reason in reasons.items()
            ],
            **answer,
        }


class Predictor:
    """Answers `{"instances": [...]}` with `{"predictions": [...]}`.

    An instance is the signature's input for one image: `{"b64": "..."}` for bytes,
    nested lists for numbers, or either under the input's name. `signature_name` chooses
    another signature than `serving_default`. A prediction is an object with the row of
    every output. By columns, `{"inputs": [...]}` or `{"inputs": {NAME: [...]}}` is
    answered with `{"outputs": {NAME: [...], ...}}`. A body that is an image file, or a
    form with files, is answered like the instances that it consists of. See
    https://www.tensorflow.org/tfx/serving/api_rest, "Predict API".

    Args:
        name: Name of the model.
        version: Version that is served.
        model: The model that answers.
        metadata: Answer to a request for metadata, as of `read_metadata`.
        max_instances: Instances in a request.
    """

    def __init__(
        self,
        name: str,
        version: str,
        model: ServedModel,
        metadata: dict[str, Any],
        max_instances: int = 128,
    ) -> None:
        self.name = name
        self.version = version
        self.model = model
        self.metadata = metadata
        self.max_instances = max_instances

    async def predict(self, body: bytes, content_type: str = "") -> dict[str, Any]:
        """Answers one request. Canceled, it takes back what has not been computed.

        Args:
            body: The body of the request.
            content_type: Its header of that name.

        Returns:
            The JSON-ready answer.

        Raises:
            BadRequest: When the request is not of the stated form.
            FailedInstances: When instances have no answer. Those of others are in it.
            Overloaded: When too many inputs wait.
        """
        # Requests have megabytes: meanwhile the loop serves others.
        signature, rows, by_columns = await asyncio.to_thread(
            self._parse, body, content_type
        )
        del body  # the rows are copies
        errors: dict[int, Exception] = {
            index: row for index, row in enumerate(rows) if isinstance(row, BrokenInput)
        }
        good = [index for index in range(len(rows)) if index not in errors]
        futures = self.model.submit(signature, [rows[index] for index in good])
        answers = await asyncio.gather(
            *map(asyncio.wrap_future, futures), return_exceptions=True
        )
        predictions: list[dict[str, Any] | None] = [None] * len(rows)
        for index, answer in zip(good, answers, strict=True):
            if isinstance(answer, Exception):
                errors[index] = answer
                if not isinstance(answer, (BrokenInput, Overloaded)):
                    logging.error("%s: a fault", self.name, exc_info=answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                predictions[index] = {
                    name: _to_json(value) for name, value in answer.items()
                }
        found: dict[str, Any] = {"predictions": predictions}
        if by_columns:
            found = {"outputs": _columns(predictions)}
        if errors:
            raise FailedInstances(found, dict(sorted(errors.items())))
        return found

    def _parse(self, body, content_type):
        """`(signature, rows, by columns)`.

        A row is `BrokenInput` where the instance is wrong.
        """
        if (contents := image_files(body, content_type)) is not None:
            payload = {"instances": [{"b64": _Plain(c, 0, len(c))} for c in contents]}
        else:
            payload = parse_json(body)
        forms = payload.keys() & _FORMS if isinstance(payload, dict) else ()
        if len(forms) != 1:
            raise BadRequest(
                'The request must be a JSON object with either "instances" or "inputs".'
            )
        (form,) = forms
        signature = payload.get("signature_name") or "serving_default"
        if not isinstance(signature, str) or signature not in self.model.inputs:
            raise BadRequest(
                f"The model {self.name} has no signature {signature!r}, only "
                f"{', '.join(sorted(self.model.inputs))}."
            )
        spec = self.model.inputs[signature]
        instances = payload[form]
        if form == "inputs" and isinstance(instances, dict):
            if set(instances) != {spec.name}:
                raise BadRequest(f'"inputs" must be {{"{spec.name}": [...]}}.')
            instances = instances[spec.name]
        if not isinstance(instances, list) or not instances:
            raise BadRequest(f'"{form}" must be a list with at least one image.')
        if len(instances) > self.max_instances:
            raise BadRequest(
                f"{len(instances)} {form} in one request; at most "
                f"{self.max_instances} are taken."
            )
        rows = [_row(instance, spec) for instance in instances]
        return signature, rows, form == "inputs"


class _Plain(Encoded):
    """The content of a file as it is."""

    def decode(self):
        return self.body


def _row(instance, spec):
    """`bytes` or an array; `BrokenInput`, returned, if the instance is neither."""
    if isinstance(instance, dict) and set(instance) == {spec.name}:
        instance = instance[spec.name]
    try:
        if spec.dtype == tf.string:
            return _bytes(instance, spec.name)
        return array_row(instance, spec)
    except BrokenInput as error:
        return error


def _bytes(value, name):
    if not isinstance(value, dict) or set(value) != {"b64"}:
        raise BrokenInput(
            f'must be {{"b64": "..."}} or {{"{name}": {{"b64": "..."}}}}, the content '
            "of an image file in base64."
        )
    encoded = value["b64"]
    try:
        if isinstance(encoded, Encoded):
            return encoded.decode()
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BrokenInput(f'"b64" is not base64: {error}') from error


def array_row(value: Any, spec: tf.TensorSpec) -> np.ndarray:
    """A row of a numeric input.

    Args:
        value: An array, or nested lists of numbers.
        spec: The input, `[batch, ...]`.

    Returns:
        The array, of the input's dtype.

    Raises:
        BrokenInput: When it is of another shape, or of values that do not fit.
    """
    dtype, shape = spec.dtype.as_numpy_dtype, spec.shape[1:]
    try:
        array = np.array(value)
    except ValueError as error:
        raise BrokenInput(f"{spec.name}: rows of different lengths.") from error
    if array.dtype.kind not in "iuf" or not shape.is_compatible_with(array.shape):
        raise BrokenInput(f"{spec.name} must be numbers {shape}, got {array.shape}.")
    if 0 in array.shape or not np.array_equal(array.astype(dtype), array):
        raise BrokenInput(
            f"{spec.name} must be not empty and of {np.dtype(dtype)} values."
        )
    return array.astype(dtype)


def _columns(predictions):
    """Lists by output, with `None` where there is no prediction."""
    answered = [prediction for prediction in predictions if prediction]
    names = list(answered[0]) if answered else []
    return {
        name: [prediction and prediction[name] for prediction in predictions]
        for name in names
    }


def _to_json(value):
    """A row of an output as nested lists of numbers or text."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return [_to_json(item) for item in value]
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    return _finite(value)


def _finite(value):
    """JSON has no infinity, the score of a beam that ended in no caption."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
