"""Convolutional networks: pixels in, feature maps out."""

import importlib
from typing import TYPE_CHECKING, Any

from annotator.backbones.networks import backbone_names, default_tap

if TYPE_CHECKING:
    from annotator.backbones.backbone import build_backbone, identity_backbone
    from annotator.backbones.precision import resolve_precision
    from annotator.backbones.sharing import join_regions
    from annotator.backbones.weights import BackboneWeightsError, weights_fingerprint

# What imports TensorFlow, which the names of the networks do without: its modules.
_MODULES = {
    "BackboneWeightsError": "weights",
    "build_backbone": "backbone",
    "identity_backbone": "backbone",
    "join_regions": "sharing",
    "resolve_precision": "precision",
    "weights_fingerprint": "weights",
}

__all__ = [
    "BackboneWeightsError",
    "backbone_names",
    "build_backbone",
    "default_tap",
    "identity_backbone",
    "join_regions",
    "resolve_precision",
    "weights_fingerprint",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
