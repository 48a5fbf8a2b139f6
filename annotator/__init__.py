"""annotator: describes images with a caption and tags (TensorFlow/Keras).

The names below come from their modules when they are first asked for: importing the
package imports no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from annotator.annotation.describing.annotator import Annotator, load
    from annotator.annotation.describing.description import Description, ImageError
    from annotator.annotation.run import annotate
    from annotator.backbones.backbone import build_backbone
    from annotator.captioner import Captioner, Vocabulary
    from annotator.config import Config
    from annotator.evaluation.run import evaluate
    from annotator.metrics.captions import score_captions
    from annotator.metrics.tags import score_tags
    from annotator.runs.run import Run
    from annotator.training.run import train

# The module that each public name is taken from.
_MODULES = {
    "Annotator": "annotator.annotation.describing.annotator",
    "Captioner": "annotator.captioner",
    "Config": "annotator.config",
    "Description": "annotator.annotation.describing.description",
    "ImageError": "annotator.annotation.describing.description",
    "Run": "annotator.runs.run",
    "Vocabulary": "annotator.captioner",
    "annotate": "annotator.annotation.run",
    "build_backbone": "annotator.backbones.backbone",
    "evaluate": "annotator.evaluation.run",
    "load": "annotator.annotation.describing.annotator",
    "score_captions": "annotator.metrics.captions",
    "score_tags": "annotator.metrics.tags",
    "train": "annotator.training.run",
}

__all__ = [
    "Annotator",
    "Captioner",
    "Config",
    "Description",
    "ImageError",
    "Run",
    "Vocabulary",
    "__version__",
    "annotate",
    "build_backbone",
    "evaluate",
    "load",
    "score_captions",
    "score_tags",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
