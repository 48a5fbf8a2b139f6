"""Convolutional networks: pixels in, feature maps out."""

from typing import TYPE_CHECKING

from annotator.backbones.networks import backbone_names, default_tap
from annotator.config.lazy import lazy_names

if TYPE_CHECKING:
    from annotator.backbones.backbone import build_backbone, identity_backbone
    from annotator.backbones.precision import resolve_precision
    from annotator.backbones.sharing import join_regions
    from annotator.backbones.weights import BackboneWeightsError, weights_fingerprint

# What imports TensorFlow, which the names of the networks do without: its modules.
_MODULES = {
    "BackboneWeightsError": "annotator.backbones.weights",
    "build_backbone": "annotator.backbones.backbone",
    "identity_backbone": "annotator.backbones.backbone",
    "join_regions": "annotator.backbones.sharing",
    "resolve_precision": "annotator.backbones.precision",
    "weights_fingerprint": "annotator.backbones.weights",
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
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
