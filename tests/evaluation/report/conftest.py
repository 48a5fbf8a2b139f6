"""A run that is made up: eight images, captions and tags, some of them hostile."""

import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from annotator.config import Config
from annotator.datasets import AnnotatedImages
from annotator.datasets.image_files import ImageFiles
from annotator.evaluation import captioning
from annotator.evaluation.report.page import write_report
from annotator.evaluation.scores import Scored, TagResults
from annotator.metrics.captions import score_captions
from annotator.metrics.tags import mean_average_precision, score_tags
from annotator.runs.heads import CAPTIONER, TAGGER
from annotator.runs.run import Run

HOSTILE = "</script><img src=x onerror=\"document.title='hacked'\">"
WORDS = ["red", "green", "blue", HOSTILE, *(f"word {i}" for i in range(30))]
CAPTIONS = [
    "a red wall",
    "a red wall stands here",
    "a green thing",
    f"a {HOSTILE.replace(' ', chr(160))} wall",
    "",
    "a blue wall on the left",
    "the red wall",
    "something else",
]
REFERENCES = [["A red wall .", "a red wall"], ["a red wall stands", "it stands"]]
REFERENCES += [["a blue wall", "blue it is"], [HOSTILE, "a wall"], ["a wall", "it"]]
REFERENCES += [["a blue wall on the left"] * 5, ["the red wall"], ["a red wall"]]


class MadeUpSplit:
    """Stands for a `Split`: what is asked of it is what it is made of."""

    def __init__(self, annotated):
        self.annotated = annotated

    def __len__(self):
        return len(self.annotated)

    def select(self, rows):
        return MadeUpSplit(self.annotated.select(rows))

    def regions(self, batch_size):
        return self


def looked(split):
    """Maps of 3 by 3 regions: word t of an image was written looking at region t."""
    for image_id in split.annotated.image_ids:
        caption = CAPTIONS[int(image_id[0])]
        attention = np.full((20, 2, 9), 0.01, np.float32)
        for t in range(20):
            attention[t, :, t % 9] = [0.5, 0.7]
        yield {
            "captions": caption.encode(),
            "attention": attention,
            "drafts": [f"a draft of {HOSTILE}".encode()],
        }


@pytest.fixture(scope="session")
def annotated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    paths, names = [], []
    for i in range(8):
        size = (64, 40, 3) if i % 2 else (40, 60, 3)  # upright, and across
        pixels = np.full(size, rng.integers(60, 220, 3)) + rng.integers(-9, 9, size)
        paths.append(folder / f"{i}.png")
        Image.fromarray(np.uint8(pixels)).save(paths[-1])
        names.append(f"{i} {HOSTILE}.png" if i == 3 else f"{i}.png")
    tags = rng.random((8, len(WORDS))) < 0.2
    tags[:, 0] = True
    return AnnotatedImages(
        "folder",
        "validation",
        tuple(names),
        ImageFiles(paths),
        words=tuple(WORDS),
        tags=tags,
        captions=tuple(map(tuple, REFERENCES)),
    )


@pytest.fixture(scope="session")
def scored(annotated):
    """What was measured of both tasks."""
    captions = score_captions(CAPTIONS, REFERENCES, meteor="none", bootstrap_samples=20)
    facts = {"said": [0.4, 0.6], "happened": [0.5, 0.5], "counts": [9, 6]}
    captions["caption_reliability"] = {"calibration_error": 0.1, **facts}
    rng = np.random.default_rng(1)
    true = annotated.tags
    scores = np.float32(true + rng.normal(0, 0.8, true.shape))
    predicted = scores >= np.sort(scores, axis=1)[:, -5:-4]
    probabilities = 1 / (1 + np.exp(1 - scores))
    known = np.ones_like(true)
    results = TagResults(WORDS, scores, predicted, true, known, probabilities)
    tags = {
        **score_tags(predicted, true, WORDS),
        "mean_average_precision": mean_average_precision(scores, true),
    }
    return {
        TAGGER: Scored(tags, "", [], results, 1.0),
        CAPTIONER: Scored(captions, "", CAPTIONS, seconds=1.0),
    }


@pytest.fixture(scope="session")
def made_up_run(annotated, tmp_path_factory):
    """A `Run` with a log of its training, of Flickr8k as it says."""
    folder = tmp_path_factory.mktemp("runs") / "a <b>run"
    run = Run(Config(dataset="flickr8k", backbone_weights="/home/me/v.h5"), folder)
    run.split = lambda task, name: MadeUpSplit(annotated)
    decoder = types.SimpleNamespace(attending_layers=2)
    run.captioner = lambda: types.SimpleNamespace(decoder=decoder)
    writer = tf.summary.create_file_writer(str(run.files.logs(CAPTIONER.name)))
    with writer.as_default():
        for step in range(1, 41):
            tf.summary.scalar("loss", 4 / step, step)
        for step in (20, 40):
            tf.summary.scalar("validation/bleu_4", step / 200, step)
            tf.summary.scalar("validation/cider", step / 100, step)
    return run


@pytest.fixture(scope="session")
def report(made_up_run, scored):
    """Path of the report on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captioning, "attention_details", lambda _, split: looked(split))
        return write_report(made_up_run, "validation", scored, 8)


@pytest.fixture
def hostile():
    """What is a word, a part of a caption and of a file's name."""
    return HOSTILE
