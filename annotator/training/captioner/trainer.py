"""The captioner's training: on references, then on the rewards of its captions."""

import functools
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from annotator import files, loading
from annotator.captioner import Captioner, Truncation
from annotator.captioner.transfer import take_over
from annotator.captioner.vocabulary import PAD
from annotator.evaluation.captioning import (
    attention_pictures,
    caption_function,
    explain_function,
    generate,
)
from annotator.metrics.captions import score_captions
from annotator.metrics.cider_reward import CiderReward
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.runs.start import find_start
from annotator.terminal.progress import CAPTIONING, DRAFTING, track
from annotator.training import workers
from annotator.training.captioner.batches import CaptionBatches, encode_references
from annotator.training.captioner.inputs import CachedRegions
from annotator.training.captioner.optimizers import optimizers_for
from annotator.training.captioner.phases import (
    feedback_joins,
    finished,
    first_self_critical_epoch,
    is_best,
)
from annotator.training.captioner.selection import (
    loss_function,
    matches_four_words,
    reference_loss,
    selection_score,
)
from annotator.training.captioner.teacher import load_teacher
from annotator.training.captioner.validation_report import log_validation, report
from annotator.training.data_warnings import (
    warn_of_few_validation_images,
    warn_of_no_match,
)
from annotator.training.learned_regions import LearnedRegions
from annotator.training.loop import TrainingLoop
from annotator.training.optimizers import GroupedOptimizer

_MEASURED_IMAGES = 256  # for the statistics of the channels


class CaptionerTrainer(TrainingLoop):
    """The training of a captioner.

    Batches and their order are a function of seed and epoch, and the drafts of an epoch
    are kept in a file.

    Args:
        run: The run; checkpoints, drafts and the best weights go to its captioner's
            folder.
        captioner: An unbuilt `Captioner`; it is built here, for the features at hand.
        inputs: `CachedRegions` or `LearnedRegions`, built, of splits with captions.
    """

    unit = "words"
    advice = (
        "lower --learning_rate, or for rewards --self_critical_rate, in another "
        "--workdir."
    )

    def __init__(
        self,
        run: Run,
        captioner: Captioner,
        inputs: CachedRegions | LearnedRegions,
    ) -> None:
        super().__init__(run, CAPTIONER)
        config = self.config
        self.inputs = inputs
        self.train = inputs.train
        self.captioner = captioner
        self.batches = CaptionBatches(config, inputs, captioner.vocabulary)
        self.steps_per_epoch = len(self.batches)
        self.epochs = config.epochs + config.self_critical_epochs
        with self.strategy.scope():
            self.captioner.build((None, None, inputs.channels))
            self.captioner.standardize(*self._channel_statistics())
            self.teacher = load_teacher(run, captioner)
            models = [captioner]
            if inputs.backbone is not None:
                models.append(inputs.backbone)
            make, make_self_critical = optimizers_for(config, self.steps_per_epoch)

            def grouped(make_optimizer, **late):
                return GroupedOptimizer(
                    models,
                    make_optimizer,
                    config.clip_norm,
                    config.dense_rate,
                    config.convolution_rate,
                    **late,
                )

            late = {}
            if first := feedback_joins(config):
                start = first * self.steps_per_epoch
                feedback = cast(keras.layers.Layer, self.captioner.feedback)
                late["late"] = feedback.trainable_variables
                late["make_late_optimizer"] = lambda factor: make(factor, start)
            self.optimizer = grouped(make, **late)
            optimizers = [*self.optimizer.optimizers]
            if config.self_critical_epochs:
                self.self_critical_optimizer = grouped(make_self_critical)
                optimizers += self.self_critical_optimizer.optimizers
                self.reward = CiderReward(self.batches.tokens[..., 1:])
        self._keep(models, optimizers)
        compiled = functools.partial(
            tf.function, reduce_retracing=True, autograph=False
        )
        self.train_step = compiled(self._train_step)
        self.self_critical_step = compiled(self._self_critical_step)
        self.draft = compiled(self.captioner.draft)
        self.caption = caption_function(self.captioner)
        self.caption_plainly = caption_function(self.captioner, with_feedback=False)
        self.explain = explain_function(self.captioner)
        self.loss_of_references = loss_function(self.captioner)
        self._warned_of_no_match = False

    def fit(self) -> None:
        if self.chief and self.inputs.validation is not None:
            warn_of_few_validation_images(len(self.inputs.validation))
        if self.config.init_from and self.manager.latest_checkpoint is None:
            self.take_over(self.config.init_from)
        super().fit()

    def take_over(self, name: str) -> None:
        """Starts from a trained captioner.

        Args:
            name: As `find_start` takes it.
        """
        trained = find_start(name).captioner()
        with self.strategy.scope():
            new = take_over(self.captioner, trained)
        if self.chief:
            known = len(self.captioner.vocabulary) - len(new)
            print(f"starting from {name}: {known} words are known, {len(new)} are new")

    def _begin_epoch(self, epoch, done):
        first = first_self_critical_epoch(self._scores(), self.config)
        if first and epoch == first and not done:  # the first one has but its start
            self._take_best_weights()
        if first is None:
            take_step, drafts = self._learn_references, self._drafts(epoch)
        else:
            take_step, drafts = self._learn_rewards, None
        return take_step, self.batches.stream(epoch, done, drafts, self.strategy)

    def _finished(self, scores):
        return finished(scores, self.config)

    def _learn_references(self, epoch, batch, tokens, draft):
        """A step on reference captions; its words, and scalars to show."""
        with_feedback = epoch >= self.config.feedback_start
        sums = self.train_step(batch, tokens, draft, self._seed(), with_feedback)
        count = float(sums["tokens"])
        loss = float(sums["cross_entropy"]) / count
        return count, {"loss": loss, "learning_rate": self.optimizer.learning_rate}

    def _learn_rewards(self, epoch, batch, tokens, draft):
        """A step on captions of the model's own; its words, and scalars to show."""
        sums = self.self_critical_step(batch, tokens, self._seed())
        reward = float(sums["reward"]) / float(sums["captions"])
        rate = self.self_critical_optimizer.learning_rate
        return float(sums["tokens"]), {"reward": reward, "learning_rate": rate}

    def _take_best_weights(self):
        self.captioner.load_weights(self.files.best_weights(self.task))
        if self.inputs.backbone is not None:
            best = loading.model(self.files.backbone(self.task))
            self.inputs.backbone.set_weights(best.get_weights())

    def _validate(self, epoch):
        """The score of decoded captions; keeps the weights if it is the best so far."""
        validation = self.inputs.validation
        joined = epoch >= feedback_joins(self.config)
        caption = self.caption if joined else self.caption_plainly
        captions = generate(
            caption,
            self.inputs.stream(validation, 64),
            self.progress.stage(
                CAPTIONING, "validation", -(-len(validation) // 64), "batch"
            ),
        )
        references = validation.annotated.captions
        scores = score_captions(captions, references, meteor="none")
        score = selection_score(self.config, scores, self._reference_loss)
        step = int(self.step.numpy())
        log_validation(scores, validation.annotated.image_ids, captions, step)
        if joined and self.captioner.decoder.attending_layers:
            rows = np.unique(np.linspace(0, len(captions) - 1, 4).astype(int))
            drawn = self._attention_pictures(rows)
            for i, (_, picture) in enumerate(drawn):
                pixels = np.asarray(picture)[None]
                tf.summary.image(f"validation/attention_{i}", pixels, step)
        if is_best(score, self._scores(), self.config):
            self._keep_weights()
        report(scores, epoch)
        if not (matches_four_words(scores) or self._warned_of_no_match):
            warn_of_no_match(epoch, len(validation))
            self._warned_of_no_match = True
        return score

    def _keep_weights(self):
        with files.atomic_path(self.files.best_weights(self.task)) as temporary:
            self.captioner.save_weights(temporary)
        if self.inputs.backbone is not None:
            with files.atomic_path(self.files.backbone(self.task)) as temporary:
                self.inputs.backbone.save(temporary)

    def _reference_loss(self):
        """The loss of the validation references; logged, too."""
        validation = self.inputs.validation
        vocabulary, length = self.captioner.vocabulary, self.config.max_length
        loss = reference_loss(
            self.loss_of_references,
            self.inputs.stream(validation, self.config.caption_batch),
            encode_references(vocabulary, validation.annotated.captions, length),
        )
        tf.summary.scalar("validation/loss", loss, int(self.step.numpy()))
        return loss

    def _train_step(self, batch, tokens, draft, seed, with_feedback):
        """One step on references; returns sums over the global batch."""

        def loss(seed, batch, tokens, draft):
            return self.captioner.caption_loss(
                self.inputs.regions(batch, seed),
                tokens,
                draft,
                with_feedback=with_feedback,
                label_smoothing=self.config.label_smoothing,
                attention_regularizer=self.config.attention_regularizer,
                teacher=self.teacher,
                distillation=self.config.distill_weight,
            )

        return self._descend(
            self.optimizer,
            loss,
            "tokens",
            seed,
            batch,
            tokens,
            draft,
            with_late=with_feedback,
        )

    def _self_critical_step(self, batch, tokens, seed):
        """One step on drawn captions; returns sums over the global batch."""

        def loss(seed, batch, tokens):
            def reward(drawn):
                inputs = tokens[..., 1:], drawn[..., 1:]
                rewards = tf.numpy_function(self.reward, inputs, tf.float32)
                rewards.set_shape(drawn.shape[:2])
                return rewards

            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            sums = self.captioner.self_critical_loss(
                self.inputs.regions(batch, seed),
                reward,
                (seed[0] + replica) * 1_000_003 + seed[1],
                self.config.self_critical_samples,
                truncation=Truncation(
                    self.config.self_critical_temperature,
                    self.config.self_critical_top_k,
                    self.config.self_critical_top_p,
                ),
                dropout=self.config.self_critical_dropout,
            )
            # A replica without images of its own has one without references.
            real = tf.cast(tf.reduce_any(tokens != PAD), tf.float32)
            return {name: value * real for name, value in sums.items()}

        return self._descend(
            self.self_critical_optimizer, loss, "tokens", seed, batch, tokens
        )

    def _drafts(self, epoch):
        """The model's own captions of the training images, as of this epoch's start."""
        joined = epoch >= self.config.feedback_start
        if not (joined and self.captioner.feedback.reads_drafts):
            return None
        path = self.files.drafts(epoch)
        if self.chief and not path.is_file():
            regions = self.inputs.views(epoch, 128)
            draft = self.draft.get_concrete_function(regions.element_spec)
            running = self.progress.stage(
                DRAFTING, "images", -(-len(self.train) // 128), "batch"
            )
            drafts = np.concatenate(
                [draft(batch).numpy() for batch in track(regions, running)]
            )
            with files.atomic_path(path) as temporary:
                np.save(temporary, drafts, allow_pickle=False)
            for old in path.parent.glob(self.files.drafts("*").name):
                if old != path:
                    old.unlink()
        workers.from_chief()
        return loading.array(path)

    def _channel_statistics(self):
        """Mean and deviation `[D]` of the channels, over some training images."""
        rng = np.random.default_rng(self.config.seed)
        count = min(_MEASURED_IMAGES, len(self.train))
        rows = np.sort(rng.choice(len(self.train), count, replace=False))
        some = self.train.select(rows)
        regions = np.concatenate(
            [
                self.captioner.powers(batch).numpy()
                for batch in self.inputs.stream(some, 64)
            ]
        )
        return regions.mean(axis=(0, 1)), regions.std(axis=(0, 1))

    def _attention_pictures(self, rows):
        some = self.inputs.validation.select(rows)
        regions = self.inputs.stream(some, len(rows))
        return attention_pictures(self.captioner, some, regions, self.explain)
