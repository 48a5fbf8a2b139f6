"""The captioner's training loop: one for one device and for many, resumable."""

import json
import time

import keras
import numpy as np
import tensorflow as tf
import tqdm

from annotator import files
from annotator.metrics.captions import score_captions

# Batches are cut from pools of this many, sorted by length: little padding, and still
# other neighbours in every epoch.
_POOL = 32
# Lengths are rounded up to these steps, so that few shapes are compiled.
_LENGTH_STEP = 4


def caption_function(captioner):
    """The graph from regions `[B, R, D]` to captions, string `[B]`."""
    return tf.function(
        lambda regions: captioner.generate(regions)["captions"], reduce_retracing=True
    )


def generate(caption, split, batch_size):
    """Captions of the images of a `pipeline.Split`, a list of N strings.

    Args:
        caption: From `caption_function`.
        split: `pipeline.Split`.
        batch_size: Images per batch.
    """
    batches = tqdm.tqdm(
        split.regions(batch_size),
        "captioning",
        -(-len(split) // batch_size),
        unit="batch",
        leave=False,
    )
    return [
        text.decode("utf-8")
        for regions in batches
        for text in caption(regions).numpy().tolist()
    ]


class CaptionerTrainer:
    """The training loop and its state.

    Everything that decides the future is in one checkpoint: weights, optimiser, seeds,
    the step, and the history of validation scores. Batches and their order are a
    function of seed and epoch, and the drafts of an epoch are kept in a file, so a
    continued run takes the same steps as an undisturbed one.

    Args:
        config: `Config`.
        folder: Where checkpoints, drafts and the best weights go.
        captioner: An unbuilt `Captioner`; it is built here, for the features at hand.
        train, validation: `pipeline.Split`s with captions.
    """

    def __init__(self, config, folder, captioner, train, validation):
        self.config = config
        self.folder = folder
        self.train = train
        self.validation = validation
        self.captioner = captioner
        self.tokens = _encode(
            captioner.vocabulary, train.annotated.captions, config.max_length
        )
        self.longest = (self.tokens != 0).sum(axis=2).max(axis=1)
        self.steps_per_epoch = -(-len(train) // config.caption_batch)
        self.strategy = tf.distribute.get_strategy()
        with self.strategy.scope():
            self.captioner.build((None, None, train.caches[0].shape[-1]))
            self.captioner.standardize(*_channel_statistics(train, config.seed))
            self.optimizer = _optimizer(config, self.steps_per_epoch)
            self.optimizer.build(self.captioner.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.history = tf.Variable("[]", trainable=False)
        self.manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                # Weights, and the states of all seeds, which Keras would leave out.
                captioner=[variable.value for variable in self.captioner.variables],
                optimizer=self.optimizer,
                step=self.step,
                history=self.history,
            ),
            str(folder / "checkpoints"),
            max_to_keep=2,
        )
        self.train_step = tf.function(self._train_step, reduce_retracing=True)
        self.draft = tf.function(self.captioner.draft, reduce_retracing=True)
        self.caption = caption_function(self.captioner)

    def run(self, log_dir):
        """Trains to the last epoch or to the end of patience."""
        if self.manager.restore_or_initialize():
            print(f"continuing at step {self.step.numpy()} of {self.folder}")
        writer = tf.summary.create_file_writer(str(log_dir))
        with writer.as_default():
            while not self._finished():
                self._epoch(int(self.step.numpy()) // self.steps_per_epoch)
                writer.flush()

    def _finished(self):
        scores = json.loads(self.history.numpy())
        if len(scores) >= self.config.epochs:
            return True
        return (
            bool(scores)
            and len(scores) - 1 - int(np.argmax(scores)) >= self.config.patience
        )

    def _epoch(self, epoch):
        """What is left of one epoch, then its validation and a checkpoint."""
        drafts = self._drafts(epoch)
        batches = self._batches(epoch)
        done = int(self.step.numpy()) - epoch * self.steps_per_epoch
        bar = tqdm.tqdm(
            self._dataset(batches[done:], drafts),
            f"epoch {epoch + 1}/{self.config.epochs}",
            len(batches),
            initial=done,
            unit="step",
        )
        words, start = 0.0, time.monotonic()
        for regions, tokens, draft in bar:
            with_feedback = epoch >= self.config.feedback_start
            sums = self.train_step(regions, tokens, draft, with_feedback)
            step = int(self.step.assign_add(1).numpy())
            count = float(sums["tokens"])
            words += count
            loss = float(sums["cross_entropy"]) / count
            rate = words / (time.monotonic() - start)
            bar.set_postfix_str(f"loss {loss:.3f}, {rate:.0f} words/s")
            if not np.isfinite(loss):
                raise FloatingPointError(
                    f"The loss is {loss} at step {step}; lower --learning_rate."
                )
            if step % 20 == 0:
                tf.summary.scalar("loss", loss, step)
                tf.summary.scalar("words_per_second", rate, step)
                tf.summary.scalar("learning_rate", self._learning_rate(), step)
            if step % self.config.checkpoint_steps == 0:
                self.manager.save(step)
        self._validate(epoch)
        self.manager.save(int(self.step.numpy()))

    def _validate(self, epoch):
        """Scores decoded captions; keeps the weights if they are the best so far."""
        captions = generate(self.caption, self.validation, 64)
        references = self.validation.annotated.captions
        scores = score_captions(captions, references, meteor="none")
        if scores[self.config.select_by] is None:
            raise ValueError(
                f"--select_by={self.config.select_by}: "
                f"{scores['missing'][self.config.select_by]}"
            )
        step = int(self.step.numpy())
        for name in ("bleu_1", "bleu_4", "cider", "rouge_l", "distinct_captions"):
            if scores[name] is not None:
                tf.summary.scalar(f"validation/{name}", scores[name], step)
        samples = zip(self.validation.annotated.image_ids, captions, strict=True)
        text = "\n\n".join(f"{name}: {caption}" for name, caption in list(samples)[:8])
        tf.summary.text("validation/captions", text, step)
        history = json.loads(self.history.numpy())
        score = scores[self.config.select_by]
        if score > max(history, default=-1.0):
            with files.atomic_path(self.folder / "best.weights.h5") as temporary:
                self.captioner.save_weights(temporary)
        self.history.assign(json.dumps([*history, score]))
        print(
            f"epoch {epoch + 1}: validation BLEU-4 {100 * scores['bleu_4']:.2f}, "
            f"{100 * scores['distinct_captions']:.0f} % of captions distinct"
        )

    def _train_step(self, regions, tokens, draft, with_feedback):
        """One step on every replica; returns sums over the global batch."""

        def replica_step(regions, tokens, draft):
            with tf.GradientTape() as tape:
                sums = self.captioner.caption_loss(
                    regions,
                    tokens,
                    draft,
                    with_feedback=with_feedback,
                    label_smoothing=self.config.label_smoothing,
                    attention_regularizer=self.config.attention_regularizer,
                )
                # The mean over the words of all replicas; Keras adds the gradients.
                context = tf.distribute.get_replica_context()
                count = context.all_reduce(tf.distribute.ReduceOp.SUM, sums["tokens"])
                loss = sums["loss"] / count
            variables = self.captioner.trainable_variables
            gradients = tape.gradient(loss, variables)
            self.optimizer.apply(
                [tf.zeros_like(v) if g is None else g
                 for g, v in zip(gradients, variables, strict=True)],
                variables,
            )  # fmt: skip
            return sums

        sums = self.strategy.run(replica_step, (regions, tokens, draft))
        reduce = self.strategy.reduce
        return {
            name: reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for name, value in sums.items()
        }

    def _learning_rate(self):
        return float(self.optimizer.learning_rate)

    def _drafts(self, epoch):
        """The model's own captions of the training images, as of this epoch's start."""
        feedback = self.captioner.feedback
        if feedback is None or feedback.causal or epoch < self.config.feedback_start:
            return None
        path = self.folder / f"drafts-{epoch}.npy"
        if not path.is_file():
            batches = tqdm.tqdm(
                self.train.regions(128),
                "drafting",
                -(-len(self.train) // 128),
                unit="batch",
            )
            drafts = np.concatenate(
                [self.draft(regions).numpy() for regions in batches]
            )
            with files.atomic_path(path) as temporary:
                np.save(temporary, drafts, allow_pickle=False)
            for old in self.folder.glob("drafts-*.npy"):
                if old != path:
                    old.unlink()
        return np.load(path, allow_pickle=False)

    def _batches(self, epoch):
        """Rows of each step of an epoch, a function of the seed and the epoch."""
        rng = np.random.default_rng([self.config.seed, epoch])
        rows = rng.permutation(len(self.train))
        pools = np.split(
            rows, np.arange(0, len(rows), _POOL * self.config.caption_batch)[1:]
        )
        batches = []
        for pool in pools:
            pool = pool[np.argsort(self.longest[pool], kind="stable")]
            batches += np.split(
                pool, np.arange(0, len(pool), self.config.caption_batch)[1:]
            )
        return [batches[i] for i in rng.permutation(len(batches))]

    def _dataset(self, batches, drafts):
        """`(regions, tokens, draft)` of each batch, read ahead in the background."""

        def read(index):
            rows = batches[index]
            length = int(self.longest[rows].max())
            length = -(-length // _LENGTH_STEP) * _LENGTH_STEP
            draft = np.zeros((0,), np.int32) if drafts is None else drafts[rows]
            return (
                self.train.caches[0].regions(self.train.rows[rows]),
                self.tokens[rows, :, :length],
                draft,
            )

        cells = self.train.caches[0].shape
        captions = self.tokens.shape[1]

        def load(index):
            regions, tokens, draft = tf.numpy_function(
                read, [index], (tf.float16, tf.int32, tf.int32), stateful=False
            )
            regions.set_shape([None, cells[0] * cells[1], cells[2]])
            tokens.set_shape([None, captions, None])
            if drafts is None:
                return regions, tokens
            draft.set_shape([None, *drafts.shape[1:]])
            return regions, tokens, draft

        dataset = tf.data.Dataset.range(len(batches)).map(load).prefetch(2)
        for batch in self.strategy.experimental_distribute_dataset(dataset):
            yield (*batch, None)[:3]


def _encode(vocabulary, captions, max_length):
    """int32 `[N, C, max_length + 2]`; images with fewer captions have empty rows."""
    most = max(map(len, captions))
    tokens = np.zeros((len(captions), most, max_length + 2), np.int32)
    for row, texts in enumerate(captions):
        tokens[row, : len(texts)] = vocabulary.encode(texts, max_length + 2)
    return tokens


def _channel_statistics(train, seed, images=256):
    """Mean and deviation `[D]` of the channels, over some of the training images."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(train.rows, min(images, len(train)), replace=False)
    regions = train.caches[0].regions(np.sort(rows)).astype(np.float32)
    return regions.mean(axis=(0, 1)), regions.std(axis=(0, 1))


def _optimizer(config, steps_per_epoch):
    """AdamW with warm-up and cosine decay, or the published SGD."""
    if config.schedule == "paper":
        steps = [10 * epoch * steps_per_epoch for epoch in range(1, 10)]
        rates = [config.learning_rate * 0.1**drop for drop in range(10)]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay(steps, rates)
        return keras.optimizers.SGD(
            schedule, momentum=0.9, nesterov=True, global_clipnorm=config.clip_norm
        )
    total = config.epochs * steps_per_epoch
    warmup = min(total // 10, 2 * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, total - warmup),
        warmup_target=config.learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm,
    )
