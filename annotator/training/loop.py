"""A training loop: one for one device and for many, that a killed run continues."""

import abc
import contextlib
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from annotator.runs.heads import Task
from annotator.runs.run import Run
from annotator.terminal.progress import EPOCH, track
from annotator.training import workers
from annotator.training.optimizers import GroupedOptimizer
from annotator.training.plan import epoch_name


class TrainingLoop(abc.ABC):
    """Epochs of steps, each followed by a validation; and the state of it all.

    Everything that decides the future is in one checkpoint: weights, optimizer, seeds,
    the step, and the history of validation scores: for each epoch a list of numbers,
    of which the first that differs decides which is better. Batches are to be a
    function of the epoch, so that a continued run takes the same steps as an
    undisturbed one.

    Subclasses say what is learned: `_begin_epoch`, `_validate`, `_keep_weights` and
    `_finished`, and call `_keep` when they have made all that is to be kept.

    Args:
        run: The run whose folder gets checkpoints and TensorBoard's logs.
        task: The task that is trained.

    Attributes:
        config: `Config`, the run's.
        files: `Workdir`, the run's.
        task: Name of the task.
        steps_per_epoch: To be set.
        epochs: How many there are at most; to be set.
        unit: What steps count, for the progress bar.
        advice: What helps if the training diverges.
    """

    steps_per_epoch: int
    epochs: int

    unit = "items"
    advice = "lower --learning_rate, in another --workdir."

    def __init__(self, run: Run, task: Task) -> None:
        self.config = run.config
        self.progress = run.progress
        self.files = run.files
        self.task = task.name
        self.stopwatch = run.stopwatch
        self.strategy = workers.strategy()
        self.chief = workers.is_chief()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.history = tf.Variable("[]", trainable=False)

    def fit(self) -> None:
        """Trains until it is finished.

        Raises:
            FloatingPointError: If the training diverges.
        """
        folder = self.files.task(self.task)
        if self.manager.restore_or_initialize():
            print(f"continuing at step {self.step.numpy()} of {folder}")
        if self.chief and not self.config.holds_out_validation:
            print(
                f"--train_split={self.config.train_split} leaves no images to select "
                "by: the weights of the last epoch are kept"
            )
        writer = (
            tf.summary.create_file_writer(str(self.files.logs(self.task)))
            if self.chief
            else tf.summary.create_noop_writer()
        )
        with contextlib.closing(writer), writer.as_default():
            while not self._finished(self._scores()):
                self._epoch(len(self._scores()))
                writer.flush()

    @abc.abstractmethod
    def _begin_epoch(self, epoch: int, done: int) -> tuple[Callable, Iterable]:
        """What an epoch learns.

        Args:
            epoch: Its number, from 0.
            done: How many of its steps are done.

        Returns:
            `(take_step, batches)`: a function of the epoch and a batch that returns
            how much was learned and a dict of scalars to show; and the batches left.
        """

    @abc.abstractmethod
    def _validate(self, epoch: int) -> list[float]:
        """The validation score after an epoch; keeps the weights if it is the best."""

    @abc.abstractmethod
    def _keep_weights(self) -> None:
        """Writes the weights as those of the best epoch so far."""

    @abc.abstractmethod
    def _finished(self, scores: list[list[float]]) -> bool:
        """Whether the validation scores of the epochs so far end the training."""

    def _keep(self, models: list[keras.Model], optimizers: list) -> None:
        """Puts models and optimizers into the checkpoints."""
        self.manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                # Weights, and the states of all seeds, which Keras would leave out.
                models=[v.value for model in models for v in model.variables],
                optimizers=optimizers,
                step=self.step,
                history=self.history,
            ),
            str(self.files.checkpoints(self.task)),
            max_to_keep=2,
        )

    def _scores(self):
        """Validation scores of the epochs so far, lists of numbers."""
        scores = json.loads(self.history.numpy())
        # Version 0.1 kept one number an epoch.
        return [score if isinstance(score, list) else [score] for score in scores]

    def _epoch(self, epoch):
        """What is left of one epoch, then its validation and a checkpoint.

        Of an epoch that was cut off in its validation that is all that is left.
        """
        done = int(self.step.numpy()) - epoch * self.steps_per_epoch
        take_step, batches = self._begin_epoch(epoch, done)
        running = self.progress.stage(
            EPOCH,
            epoch_name(epoch, self.epochs, self.task),
            self.steps_per_epoch,
            "step",
            done,
        )
        learned, start = 0.0, time.monotonic()
        for batch in track(batches, running):
            count, shown = take_step(epoch, *batch)
            step = int(self.step.assign_add(1).numpy())
            learned += count
            shown[f"{self.unit}_per_second"] = learned / (time.monotonic() - start)
            running.set_postfix_str(
                ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
            )
            if not np.isfinite(list(shown.values())).all():
                raise FloatingPointError(f"Step {step} gave {shown}; {self.advice}")
            if step % 20 == 0 or step == (epoch + 1) * self.steps_per_epoch:
                for name, value in shown.items():
                    tf.summary.scalar(name, value, step)
            if step % self.config.checkpoint_steps == 0:
                self._checkpoint()
        score = workers.from_chief(self._score(epoch) if self.chief else ())
        self.history.assign(json.dumps([*self._scores(), score]))
        self._checkpoint()

    def _score(self, epoch):
        """The validation score after an epoch; keeps the weights if it is the best."""
        if self.config.holds_out_validation:
            return self._validate(epoch)
        # Without images to select by a later epoch is a better one.
        self._keep_weights()
        return [float(epoch)]

    def _checkpoint(self):
        if self.chief:
            # Numbered by itself: a step may have two, before and after a validation,
            # and a checkpoint must not be written over the last one.
            self.manager.save()
            self.stopwatch.lap()

    def _seed(self):
        """int32 `[2]`, another one for every step."""
        return tf.stack([self.config.seed, tf.cast(self.step, tf.int32)])

    def _descend(
        self,
        optimizer: GroupedOptimizer,
        loss: Callable[..., dict],
        count: str,
        seed: tf.Tensor,
        *inputs: Any,
        with_late: bool = True,
    ) -> dict:
        """A step on every replica; returns sums over the global batch.

        Args:
            optimizer: `GroupedOptimizer`.
            loss: A function of a seed and `inputs`, those of a replica, that returns
                a dict of sums. The mean of `loss` over all of `count` is minimized.
            count: Name of the sum that tells how much was learned.
            seed: int32 `[2]`.
            *inputs: Per-replica tensors.
            with_late: As of `GroupedOptimizer.apply`.
        """

        def replica_step(*inputs):
            context = tf.distribute.get_replica_context()
            with tf.GradientTape() as tape:
                sums = loss(seed, *inputs)
                # The mean over all replicas; Keras adds the gradients.
                total = context.all_reduce(tf.distribute.ReduceOp.SUM, sums[count])
                mean = sums["loss"] / tf.maximum(total, 1.0)
            variables = optimizer.variables_to_train
            optimizer.apply(tape.gradient(mean, variables), with_late)
            return sums

        sums = self.strategy.run(replica_step, inputs)
        reduce = self.strategy.reduce
        return {
            name: reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for name, value in sums.items()
        }
