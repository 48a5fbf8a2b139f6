"""annotator: describes images with a caption and tags (TensorFlow/Keras).

The public names come from their modules when they are first asked for: importing the
package imports no TensorFlow. `__init__.pyi` tells their types.
"""

from annotator.config.lazy import lazy_names
from annotator.config.version import VERSION as __version__

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
    "build_backbone": "annotator.backbones",
    "evaluate": "annotator.evaluation.run",
    "load": "annotator.annotation.describing.annotator",
    "save_preset": "annotator.training.presets",
    "score_captions": "annotator.metrics.captions",
    "score_tags": "annotator.metrics.tags",
    "train": "annotator.training.run",
}
__all__ = ["__version__", *_MODULES]
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
