import types

import keras
import pytest

from annotator.keras_support import internals


class Pair(keras.layers.Layer):
    """A layer of two others, one of them in a list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(3, name="first")
        self.others = [keras.layers.Dense(2, name="second")]


def small_model():
    inputs = keras.Input([4], name="inputs")
    shared = keras.layers.Dense(4, name="shared")
    once = shared(inputs)
    return keras.Model(inputs, keras.layers.Add(name="sum")([once, shared(once)]))


def test_flattened_layers_are_of_all_generations():
    class Outer(keras.Model):
        def __init__(self):
            super().__init__(name="outer")
            self.pair = Pair(name="pair")

    layers = internals.flattened_layers(Outer())
    assert layers[0].name == "outer"
    assert sorted(layer.name for layer in layers[1:]) == ["first", "pair", "second"]


def test_input_tensors_are_those_of_every_use():
    model = small_model()
    by_name = {operation.name: operation for operation in model.operations}
    uses = internals.input_tensors(by_name["shared"])
    once, twice = by_name["sum"].input
    assert [id(tensor) for (tensor,) in uses] == [id(model.input), id(once)]
    (summands,) = internals.input_tensors(by_name["sum"])
    assert [id(tensor) for tensor in summands] == [id(once), id(twice)]


def test_is_autocast_tells_what_is_read_in_the_compute_dtype():
    layer = keras.layers.Layer(dtype="mixed_bfloat16")
    cast = layer.add_weight(shape=(1,), name="cast")
    kept = layer.add_weight(shape=(1,), name="kept", autocast=False)
    assert internals.is_autocast(cast)
    assert not internals.is_autocast(kept)


@pytest.mark.parametrize(
    ("function", "owner", "part"),
    [
        (internals.flattened_layers, {}, "_flatten_layers"),
        (internals.input_tensors, {}, "_inbound_nodes"),
        (
            internals.input_tensors,
            {"_inbound_nodes": [types.SimpleNamespace()]},
            "input_tensors",
        ),
        (internals.is_autocast, {}, "_autocast"),
    ],
)
def test_a_part_that_is_gone_is_named_with_the_version(function, owner, part):
    message = rf"Keras {keras.__version__} has no SimpleNamespace\.{part},"
    with pytest.raises(RuntimeError, match=message):
        function(types.SimpleNamespace(**owner))
