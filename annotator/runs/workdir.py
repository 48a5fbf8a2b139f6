"""The files of a run's folder: the one place that knows their names."""

import os
import pathlib


class Workdir:
    """Paths in the folder of a run.

    Files of scores are named after a split, or what `Run.label` makes of it.

    Args:
        folder: The folder; `~` is expanded.

    Attributes:
        folder: `pathlib.Path`.
        config: The settings, JSON.
        lock: What a process that trains here holds.
        export: Folder of the exported models.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = pathlib.Path(folder).expanduser()
        self.config = self.folder / "config.json"
        self.lock = self.folder / ".lock"
        self.export = self.folder / "export"

    def task(self, task: str) -> pathlib.Path:
        """Folder of what a task has made so far."""
        return self.folder / task

    def model(self, task: str) -> pathlib.Path:
        """The trained model, from regions to results; its presence ends a training."""
        return self.task(task) / f"{task}.keras"

    def data(self, task: str) -> pathlib.Path:
        """What the task began to learn from, JSON."""
        return self.task(task) / "data.json"

    def training(self, task: str) -> pathlib.Path:
        """How long the task has been trained, and on what, JSON; see `Stopwatch`."""
        return self.task(task) / "training.json"

    def backbone(self, task: str) -> pathlib.Path:
        """The backbone that was trained together with a task's model."""
        return self.task(task) / "backbone.keras"

    def best_weights(self, task: str) -> pathlib.Path:
        """Weights of the epoch with the best validation score so far."""
        return self.task(task) / "best.weights.h5"

    def checkpoints(self, task: str) -> pathlib.Path:
        """Folder of the states from which a training goes on."""
        return self.task(task) / "checkpoints"

    def logs(self, name: str) -> pathlib.Path:
        """Folder of TensorBoard's logs of a task's training, or of a split's scores."""
        return self.folder / "logs" / name

    @property
    def words(self) -> pathlib.Path:
        """The tagger's words in the order of its scores, JSON."""
        return self.task("tagger") / "words.json"

    @property
    def encoder(self) -> pathlib.Path:
        """The tagger's projection and codebook, NumPy arrays."""
        return self.task("tagger") / "encoder.npz"

    @property
    def vectors(self) -> pathlib.Path:
        """The training images' vectors, float32 `[N, d]`."""
        return self.task("tagger") / "vectors.npy"

    @property
    def tags(self) -> pathlib.Path:
        """The training images' tags; its presence says that `vectors` is complete."""
        return self.task("tagger") / "tags.npz"

    @property
    def strengths(self) -> pathlib.Path:
        """What was chosen to fit the tagger's scores with, JSON."""
        return self.task("tagger") / "strengths.json"

    @property
    def calibration(self) -> pathlib.Path:
        """How probable the tagger's words are by their scores, NumPy arrays."""
        return self.task("tagger") / "calibration.npz"

    @property
    def held_out(self) -> pathlib.Path:
        """How often the tagger's words were right on held-out images, NumPy arrays."""
        return self.task("tagger") / "held_out.npz"

    @property
    def vocabulary(self) -> pathlib.Path:
        """The captioner's vocabulary, JSON."""
        return self.task("captioner") / "vocabulary.json"

    @property
    def reranker(self) -> pathlib.Path:
        """What ranks the captioner's beams, NumPy arrays."""
        return self.task("captioner") / "reranker.npz"

    @property
    def word_probability(self) -> pathlib.Path:
        """How probable the words of captions are, and of which captions, JSON."""
        return self.task("captioner") / "word_probability.json"

    def drafts(self, epoch: int | str) -> pathlib.Path:
        """Drafts of the training images as of an epoch's start; `"*"` for a pattern."""
        return self.task("captioner") / f"drafts-{epoch}.npy"

    def metrics(self, split: str) -> pathlib.Path:
        """Scores on a split, JSON."""
        return self.folder / "metrics" / f"{split}.json"

    def seconds(self, split: str) -> pathlib.Path:
        """How long each task's model took for a split, and on what, JSON."""
        return self.folder / "metrics" / f"{split}_seconds.json"

    def word_scores(self, split: str) -> pathlib.Path:
        """Scores of each tag on a split, CSV."""
        return self.folder / "metrics" / f"{split}_words.csv"

    def captions(self, split: str) -> pathlib.Path:
        """What was said of a split's images, in COCO's result format, JSON."""
        return self.folder / "metrics" / f"{split}_captions.json"

    def contact_sheet(self, split: str) -> pathlib.Path:
        """Some images of a split with what was said of them, PNG."""
        return self.folder / "pictures" / f"{split}.png"

    def attention(self, split: str) -> pathlib.Path:
        """Folder of pictures of where the captioner looked."""
        return self.folder / "pictures" / f"{split}_attention"

    def report(self, split: str) -> pathlib.Path:
        """The report on a split, HTML."""
        return self.folder / "reports" / f"{split}.html"

    def skipped_images(self, split: str) -> pathlib.Path:
        """Images of a split that were left out, and why, CSV."""
        return self.folder / f"skipped_images_{split}.csv"
