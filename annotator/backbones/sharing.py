"""One network for the regions of several exports, run once where they agree."""

from collections.abc import Mapping

import keras
import numpy as np

from annotator.backbones.half_precision import HalfPrecision
from annotator.images.resize import Resize


def join_regions(
    exports: Mapping[str, tuple[keras.Model, keras.layers.Layer]],
) -> tuple[list[Resize], keras.Model]:
    """Joins the exports' ways from views to regions.

    Exports that read the same view share it. Exports whose backbones are the same
    network up to the shallower tap, with the same weights and precision, share every
    pass of it; their regions stay the numbers that each export gets alone.

    Args:
        exports: Dict from task to `(model, head)`: the Keras model of an export (see
            `annotator.export.image_model`) and the layer in it that reads regions.

    Returns:
        `(resizes, regions)`: the `Resize` layer of each view, and a functional model
        from the list of views `[batch, size, size, 3]` to a dict from task to regions
        float16 `[batch, R, channels]`.
    """
    resizes: dict[tuple, Resize] = {}
    views: dict[tuple, keras.KerasTensor] = {}
    parts = {}
    backbones = _Backbones()
    for task, (model, head) in exports.items():
        inputs = []
        # The order of these layers is that in which their views are arguments.
        for resize in (x for x in model.layers if isinstance(x, Resize)):
            key = tuple(resize.view.values())
            if key not in views:
                resizes[key] = resize
                views[key] = keras.Input(
                    (resize.size, resize.size, 3), name=f"view_{len(views)}"
                )
            inputs.append(views[key])
        of_views = model.get_layer(f"{task}_of_views")
        parts[task] = (of_views, head, inputs)
        backbones.add(_backbone(of_views), task)
    regions = {task: _regions(task, *part, backbones) for task, part in parts.items()}
    return list(resizes.values()), keras.Model(list(views.values()), regions)


class _Backbones:
    """The networks to run, and what each of them has given for a view."""

    def __init__(self):
        self._shared = {}  # id of an export's backbone: the network to run for it
        self._maps = {}

    def add(self, backbone, task):
        for network in self._shared.values():
            joined = _join(network, backbone)
            if joined is not None:
                same = [k for k, v in self._shared.items() if v is network]
                self._shared.update(dict.fromkeys([*same, id(backbone)], joined))
                return
        # Both may have the same name, and a model's layers may not.
        self._shared[id(backbone)] = keras.Model(
            backbone.input, backbone.output, name=f"{task}_{backbone.name}"
        )

    def maps(self, backbone, view):
        """What `backbone` gives for a view, as a dict of its own taps."""
        network = self._shared[id(backbone)]
        key = (id(network), id(view))
        if key not in self._maps:
            self._maps[key] = network(view)
        return {tap: self._maps[key][tap] for tap in backbone.output}


def _backbone(of_views):
    """The network in a model of views: the first layer that is a model itself."""
    return next(x for x in of_views.layers if isinstance(x, keras.Model))


def _regions(task, of_views, head, inputs, backbones):
    """The regions that `head` reads, computed from other inputs."""
    own = _backbone(of_views)

    def renamed(layer):
        if layer is own:
            return layer
        settings = {**layer.get_config(), "name": f"{task}_{layer.name}"}
        return type(layer).from_config(settings)

    def call(layer, *args, **kwargs):
        return backbones.maps(own, *args) if layer is own else layer(*args, **kwargs)

    # The layers stand in the order of computation: the one before the head feeds it.
    feeding = of_views.layers[of_views.layers.index(head) - 1]
    part = keras.Model(of_views.inputs, feeding.output)
    return keras.models.clone_model(
        part, inputs, clone_function=renamed, call_function=call
    ).output


def _join(one, other):
    """A network with the taps of both, or `None` if neither contains the other."""
    for deep, shallow in ((one, other), (other, one)):
        if _contains(deep, shallow):
            taken = {layer.name for layer in deep.layers}

            def call(layer, *args, deep=deep, taken=taken, **kwargs):
                if layer.name in taken:
                    return deep.get_layer(layer.name).output
                return layer(*args, **kwargs)

            part = keras.models.clone_model(
                shallow, deep.input, clone_function=lambda x: x, call_function=call
            )
            return keras.Model(
                deep.input, {**part.output, **deep.output}, name=deep.name
            )
    return None


def _contains(deep, shallow):
    """Whether `deep` holds every layer of `shallow` but the casts of its maps."""
    ours, theirs = _definitions(deep), _definitions(shallow)
    for layer in shallow.layers:
        if isinstance(layer, HalfPrecision) and layer.name not in ours:
            continue
        if ours.get(layer.name) != theirs[layer.name]:
            return False
        own = deep.get_layer(layer.name)
        weights = zip(own.weights, layer.weights, strict=True)
        if own is not layer and not all(
            np.array_equal(a.value, b.value) for a, b in weights
        ):
            return False
    return True


def _definitions(network):
    """Name -> class, settings and inputs of each layer."""
    return {
        layer["name"]: (layer["class_name"], layer["config"], layer["inbound_nodes"])
        for layer in network.get_config()["layers"]
    }
