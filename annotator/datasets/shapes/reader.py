"""`shapes`: a small data set of scenes that is drawn on the spot.

One to three colored shapes in a spatial relation, with five captions and tags. It
needs no download and takes seconds to draw, for a first run and for tests.

Option: `config`, `"default"` (2,000 scenes for training, 150 each for validation and
test) or `"tiny"` (24, 8 and 8).
"""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from annotator import files
from annotator.datasets.annotated_images import AnnotatedImages
from annotator.datasets.shapes.scene import TAGS, Scene
from annotator.datasets.tfds.reader import read_builder


@dataclasses.dataclass
class ShapesConfig(tfds.core.BuilderConfig):
    """How many scenes are drawn, how large, and from which seed.

    Args:
        train: Number of training scenes.
        validation: Number of validation scenes.
        test: Number of test scenes.
        side: Pixels of a side.
        seed: Seed; with the split and a scene's number it fixes the scene.
    """

    train: int = 2000
    validation: int = 150
    test: int = 150
    side: int = 80
    seed: int = 0


class Shapes(tfds.core.GeneratorBasedBuilder):
    """Scenes of colored shapes with captions and tags.

    Each example has `id` (`"train-00007"`), `image` (PNG), `captions` (five texts)
    and `labels` (classes out of `TAGS`).
    """

    VERSION = tfds.core.Version("1.3.0")
    BUILDER_CONFIGS = [
        ShapesConfig(name="default", description="2,300 scenes."),
        ShapesConfig(
            name="tiny", description="For tests.", train=24, validation=8, test=8
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        side = self.builder_config.side
        return tfds.core.DatasetInfo(
            builder=self,
            description=Shapes.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "image": tfds.features.Image(
                        shape=(side, side, 3), encoding_format="png"
                    ),
                    "captions": tfds.features.Sequence(tfds.features.Text()),
                    "labels": tfds.features.Sequence(
                        tfds.features.ClassLabel(names=TAGS)
                    ),
                }
            ),
            disable_shuffling=True,  # keep the scenes in the order of their ids
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        config = self.builder_config
        return {
            "train": self._generate_examples("train", 0, config.train),
            "validation": self._generate_examples("validation", 1, config.validation),
            "test": self._generate_examples("test", 2, config.test),
        }

    def _generate_examples(self, split, split_number, count):
        config = self.builder_config
        for number in range(count):
            rng = np.random.default_rng([config.seed, split_number, number])
            scene = Scene.random(rng)
            # Encoded here, since TFDS's own encoder takes as long as the drawing.
            image = io.BytesIO()
            scene.draw(config.side, rng).save(image, "png")
            image.seek(0)
            yield (
                number,
                {
                    "id": f"{split}-{number:05d}",
                    "image": image,
                    "captions": scene.captions(),
                    "labels": scene.tags(),
                },
            )


def read(
    name: str,
    split: str,
    *,
    data_dir: str | None,
    cache_dir: str,
    skip_bad_images: bool,
    config: str = "default",
) -> AnnotatedImages:
    """Draws the data set unless `cache_dir` has it, and reads one split.

    See `registry.load` for the other arguments.

    Args:
        config: Which scenes, `"default"` or `"tiny"`.

    Returns:
        `AnnotatedImages` with tags and captions.

    Raises:
        ValueError: When there is no such config or split.
    """
    del data_dir, skip_bad_images  # nothing is read that could be bad
    if config not in Shapes.builder_configs:
        raise ValueError(
            f"{name!r} has no config {config!r}; known: "
            f"{', '.join(Shapes.builder_configs)}."
        )
    with files.writing_to(cache_dir, "cache_dir"):
        with _quiet():
            builder = Shapes(data_dir=os.path.join(cache_dir, "tfds"), config=config)
            if not builder.is_prepared():
                builder.download_and_prepare()
        return read_builder(builder, name, split)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what TFDS tells of a download: here is none, and it takes seconds."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()
        logging.set_verbosity(verbosity)
