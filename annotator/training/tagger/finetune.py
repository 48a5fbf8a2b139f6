"""A tagger that is the backbone itself, trained to tag: on images, resumable."""

import keras
import numpy as np
import tensorflow as tf

from annotator import files
from annotator.metrics.tags import score_tags
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run
from annotator.tagger.top_tags import TopTags
from annotator.tagger.word_probabilities import WordProbabilities
from annotator.training import workers
from annotator.training.batches import shared_batches
from annotator.training.data_warnings import warn_of_common_tags
from annotator.training.learned_regions import LearnedRegions
from annotator.training.loop import TrainingLoop
from annotator.training.optimizers import GroupedOptimizer, cosine_adamw
from annotator.training.tagger.calibration import calibrate

_WEIGHT_DECAY = 0.01
_CLIP_NORM = 5.0


def finetune_tagger(run: Run) -> None:
    """Trains backbone and tagger together, or continues what an earlier try left.

    The tagger's folder then holds `checkpoints/`, `best.weights.h5` and
    `backbone.keras` (those of the epoch with the best F1 on validation, or of the last
    one where the validation images are learned), `words.json`, `calibration.npz`,
    and at the end `tagger.keras`, from the regions of that backbone, float
    `[B, R, channels]`, to scores `[B, W]`.

    Args:
        run: The run. For workers other than the chief nothing is written.

    Raises:
        FloatingPointError: If the training diverges.
    """
    if run.is_trained(TAGGER):
        return
    if not workers.is_chief():  # it reads the images that the others train on
        workers.from_chief()
    train, validation = run.pixels(TAGGER, run.config.train_split), None
    if TAGGER.reads_validation(run.config):
        validation = run.pixels(TAGGER, "validation")
    if workers.is_chief():
        workers.from_chief()
        warn_of_common_tags(train.annotated.tags, train.annotated.words)
    (resize,) = TAGGER.views(run.config)
    inputs = LearnedRegions(
        train, validation, resize, lambda: run.trainable_backbone(TAGGER)
    )
    keras.utils.set_random_seed(run.config.seed)
    with workers.strategy().scope():
        inputs.build()
        words = train.annotated.words
        scores = WordProbabilities(
            len(words), run.config.tag_dropout, run.config.seed, name="scores"
        )
    TaggerTrainer(run, scores, inputs).fit()
    if not workers.is_chief():
        return
    tagger = keras.Sequential(
        [keras.Input((None, inputs.channels), dtype="float16"), scores], name="tagger"
    )
    tagger.load_weights(run.files.best_weights(TAGGER.name))
    tagger.trainable = False
    files.write_json(run.files.words, list(words))
    calibrate(run, tagger, list(words))
    with files.atomic_path(run.files.model(TAGGER.name)) as temporary:
        tagger.save(temporary)


class TaggerTrainer(TrainingLoop):
    """The training of a tagger and its backbone.

    Args:
        run: The run; checkpoints and the best weights go to its tagger's folder.
        scores: An unbuilt `WordProbabilities`; it is built here.
        inputs: `LearnedRegions`, built, of splits with tags.
    """

    unit = "images"
    advice = "lower --tag_rate, in another --workdir."

    def __init__(
        self, run: Run, scores: WordProbabilities, inputs: LearnedRegions
    ) -> None:
        super().__init__(run, TAGGER)
        config = self.config
        self.inputs = inputs
        self.scores = scores
        self.tags = np.asarray(inputs.train.annotated.tags, np.float32)
        self.steps_per_epoch = -(-len(self.tags) // config.tag_batch)
        self.epochs = config.tag_epochs
        with self.strategy.scope():
            self.head = keras.Sequential(
                [keras.Input((None, inputs.channels)), scores], name="tagger"
            )
            scores.leave_out(self.tags.sum(axis=0))
            models = [self.head, inputs.backbone]
            self.optimizer = GroupedOptimizer(
                models,
                lambda factor: cosine_adamw(
                    factor * config.tag_rate,
                    config.tag_epochs,
                    self.steps_per_epoch,
                    _WEIGHT_DECAY,
                ),
                _CLIP_NORM,
                convolution_rate=config.tag_convolution_rate,
            )
        self._keep(models, self.optimizer.optimizers)
        self.train_step = tf.function(
            self._train_step, reduce_retracing=True, autograph=False
        )
        self.predict = tf.function(self.head, reduce_retracing=True, autograph=False)

    def rows(self, epoch: int) -> list[np.ndarray]:
        """Rows of the training images in each batch of an epoch, a list of arrays."""
        order = np.random.default_rng([self.config.seed, epoch]).permutation(
            len(self.tags)
        )
        size = self.config.tag_batch
        return np.split(order, np.arange(size, len(order), size))

    def _begin_epoch(self, epoch, done):
        replicas = self.strategy.num_replicas_in_sync
        batches = self.rows(epoch)[done:]

        def read(step, replica):
            own = batches[step][replica::replicas]
            tags = self.tags[own]
            if not len(own):  # a replica without images gets one that does not count
                own = batches[step][:1]
                tags = np.zeros_like(self.tags[own])
            return self.inputs.read(own, epoch), tags

        words = tf.TensorSpec([None, self.tags.shape[1]], tf.float32)
        specs = [self.inputs.signature, words]
        return self._learn, shared_batches(read, len(batches), specs, self.strategy)

    def _learn(self, epoch, batch, tags):
        """A step; its images, and scalars to show."""
        sums = self.train_step(batch, tags, self._seed())
        count = float(sums["images"])
        loss = float(sums["loss"]) / max(count, 1.0)
        return count, {"loss": loss, "learning_rate": self.optimizer.learning_rate}

    def _train_step(self, batch, tags, seed):
        """One step; returns sums over the global batch."""

        def loss(seed, batch, tags):
            return self.scores.loss(self.inputs.regions(batch, seed), tags)

        return self._descend(self.optimizer, loss, "images", seed, batch, tags)

    def _validate(self, epoch):
        """F1 on the validation images; keeps the weights if it is the best so far."""
        annotated = self.inputs.validation.annotated
        regions = self.inputs.stream(self.inputs.validation, self.config.batch_size)
        words = annotated.words  # one list for all splits of a data set
        top = TopTags(words, self.config.top_k, self.config.threshold)
        predicted = top.predicted(
            np.concatenate([self.predict(batch).numpy() for batch in regions])
        ).numpy()
        scores = score_tags(predicted, annotated.tags, words)
        for name in ("precision", "recall", "f1", "n_plus"):
            tf.summary.scalar(
                f"validation/{name}", scores[name], int(self.step.numpy())
            )
        score = [scores["f1"]]
        if score > max(self._scores(), default=[]):
            self._keep_weights()
        print(
            f"epoch {epoch + 1}: validation F1 {100 * scores['f1']:.2f}, "
            f"N+ {scores['n_plus']}"
        )
        return score

    def _keep_weights(self):
        with files.atomic_path(self.files.best_weights(self.task)) as temporary:
            self.head.save_weights(temporary)
        with files.atomic_path(self.files.backbone(self.task)) as temporary:
            self.inputs.backbone.save(temporary)

    def _finished(self, scores):
        return len(scores) >= self.config.tag_epochs
