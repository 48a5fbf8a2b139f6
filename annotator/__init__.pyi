from annotator.annotation.describing.annotator import Annotator as Annotator
from annotator.annotation.describing.annotator import load as load
from annotator.annotation.describing.description import Description as Description
from annotator.annotation.describing.description import ImageError as ImageError
from annotator.annotation.run import annotate as annotate
from annotator.backbones.backbone import build_backbone as build_backbone
from annotator.captioner import Captioner as Captioner
from annotator.captioner import Vocabulary as Vocabulary
from annotator.config import Config as Config
from annotator.evaluation.run import evaluate as evaluate
from annotator.metrics.captions import score_captions as score_captions
from annotator.metrics.tags import score_tags as score_tags
from annotator.runs.run import Run as Run
from annotator.training.presets import save_preset as save_preset
from annotator.training.run import train as train

__version__: str
