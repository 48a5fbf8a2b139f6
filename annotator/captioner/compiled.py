"""Keras's own way to train a captioner: `compile`, `fit` and `evaluate`."""

import dataclasses
import typing

import keras
import tensorflow as tf

from annotator.captioner.learner import CaptionLearner, Tensors
from annotator.captioner.losses import crop
from annotator.captioner.vocabulary import PAD, Vocabulary


@dataclasses.dataclass(frozen=True)
class Objective:
    """What `compile` was told to minimize; see `CompiledLearner.compile`."""

    label_smoothing: float = 0.0
    attention_regularizer: float = 0.0
    with_feedback: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"label_smoothing must be in [0, 1), got {self.label_smoothing}."
            )
        if self.attention_regularizer < 0:
            raise ValueError(
                "attention_regularizer must not be negative, got "
                f"{self.attention_regularizer}."
            )


class CompiledLearner(CaptionLearner):
    """Base class of the captioner: what `keras.Model.fit` and `evaluate` call.

    Their batches are `(regions, captions)`. Regions are `[B, R, D]`. Captions are text,
    one an image, string `[B]`, or several, string `[B, C]` or ragged `[B, (C)]`, where
    an empty string is none; or ids as the vocabulary encodes them, `[B, T]` or
    `[B, C, T]`. Text is encoded in the graph and cut to the sampler's `max_length`
    words. The model is built for the first batch; `adapt` fits its standardization.

    The loss is the mean of `caption_loss` over all words of a batch, as of the training
    by `annotator.train`. Drafts for feedback are decoded anew at every step, by the
    model as it then is. Shown are means over the words of an epoch: `loss`, what is
    minimized, and `cross_entropy`, the part that depends on no regularization.

    Attributes:
        vocabulary: The words, which the subclass sets.

    Example:

    ```python
    captioner.adapt(train)
    captioner.compile(keras.optimizers.AdamW(1e-3, global_clipnorm=5.0))
    captioner.fit(train, validation_data=validation, epochs=12)
    captioner.predict(regions)["captions"]
    ```
    """

    vocabulary: Vocabulary

    def __init__(self, **kwargs: typing.Any) -> None:
        super().__init__(**kwargs)
        # Text, and captions of any length, are nothing that XLA compiles.
        self.supports_jit = False
        self._objective = Objective()
        self._means: _Means | None = None

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        label_smoothing: float = 0.0,
        attention_regularizer: float = 0.0,
        with_feedback: bool = True,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        auto_scale_loss: bool = True,
    ) -> None:
        """Says how the model is trained. The loss is its own, see the class.

        Args:
            optimizer: A Keras optimizer or its name.
            label_smoothing: Share of the probability spread over all words.
            attention_regularizer: Factor of how unevenly regions are attended to, see
                `caption_loss`.
            with_feedback: False for epochs that train the decoder alone, before the
                feedback joins: compile again for those that follow.
            run_eagerly: As of `keras.Model.compile`.
            steps_per_execution: As of `keras.Model.compile`.
            auto_scale_loss: As of `keras.Model.compile`.

        Raises:
            ValueError: When a number is out of range.
        """
        self._objective = Objective(
            label_smoothing, attention_regularizer, with_feedback
        )
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=False,
            auto_scale_loss=auto_scale_loss,
        )
        self._means = _Means()

    def get_compile_config(self) -> dict:
        if not self.compiled:
            return {}
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            **dataclasses.asdict(self._objective),
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.Metric]:
        """The means that are shown, which Keras resets before every epoch."""
        if self._means is None:
            return []
        return [self._means.loss, self._means.cross_entropy]

    def train_step(self, data: typing.Any) -> Tensors:
        """One step of `fit`.

        Args:
            data: `(regions, captions)`, see the class.

        Returns:
            The means so far, float32 scalars.

        Raises:
            ValueError: When the data are of another form.
        """
        regions, tokens = self._batch(data)
        draft = self._own_draft(regions)
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            sums = self._sums(regions, tokens, draft, training=True)
            context = tf.distribute.get_replica_context()
            # The mean over all replicas, whose gradients Keras adds.
            words = context.all_reduce(tf.distribute.ReduceOp.SUM, sums["tokens"])
            loss = self.optimizer.scale_loss(sums["loss"] / tf.maximum(words, 1.0))
        gradients = [
            tf.zeros_like(v) if gradient is None else tf.convert_to_tensor(gradient)
            for gradient, v in zip(
                tape.gradient(loss, variables), variables, strict=True
            )
        ]
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self._shown(sums)

    def test_step(self, data: typing.Any) -> Tensors:
        """One step of `evaluate`; see `train_step`. There is no dropout."""
        regions, tokens = self._batch(data)
        draft = self._own_draft(regions)
        return self._shown(self._sums(regions, tokens, draft, training=False))

    def _maybe_symbolic_build(
        self, iterator: typing.Any = None, data_batch: typing.Any = None
    ) -> None:
        """Builds what `fit` needs to be there before several devices share a batch.

        In place of Keras's own, which takes the mean of the devices' first batches:
        text has none.
        """
        if iterator is None or self.distribute_strategy.num_replicas_in_sync == 1:
            return
        for _, _, batches in iterator:
            regions, *_ = next(batches)
            first, *_ = self.distribute_strategy.experimental_local_results(regions)
            with self.distribute_strategy.scope():
                self.build_for(first)
                self.optimizer.build(self.trainable_variables)
            return

    def _batch(self, data: typing.Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Regions `[B, R, D]` and the ids of their captions, int32 `[B, C, T]`."""
        regions, captions, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            raise ValueError(
                "A captioner takes no sample weights: give batches of (regions, "
                "captions). An image that shall count more can come more often."
            )
        if captions is None:
            raise ValueError("Give batches of (regions, captions), not regions alone.")
        self.build_for(regions)
        limit = self.sampler.max_length + 2
        return regions, reference_tokens(captions, self.vocabulary, limit)

    def _own_draft(self, regions: tf.Tensor) -> tf.Tensor | None:
        """The drafts that the loss needs: no reference is seen, no gradient taken."""
        if self._objective.with_feedback and self.feedback.reads_drafts:
            return self.draft(regions)
        return None

    def _sums(
        self,
        regions: tf.Tensor,
        tokens: tf.Tensor,
        draft: tf.Tensor | None,
        training: bool,
    ) -> Tensors:
        options = dataclasses.asdict(self._objective)
        return self.caption_loss(regions, tokens, draft, training=training, **options)

    def _shown(self, sums: Tensors) -> Tensors:
        assert self._means is not None  # Keras has seen to it that it is compiled
        words = sums["tokens"]
        self._means.loss.update_state(tf.math.divide_no_nan(sums["loss"], words), words)
        self._means.cross_entropy.update_state(
            tf.math.divide_no_nan(sums["cross_entropy"], words), words
        )
        return {metric.name: metric.result() for metric in self.metrics}


class _Means:
    """The metrics that are shown, where Keras does not take them for layers' state."""

    def __init__(self) -> None:
        self.loss = keras.metrics.Mean("loss")
        self.cross_entropy = keras.metrics.Mean("cross_entropy")


def reference_tokens(
    captions: tf.Tensor | tf.RaggedTensor, vocabulary: Vocabulary, length: int
) -> tf.Tensor:
    """Captions of one of the forms that `CompiledLearner` lists, int32 `[B, C, T]`.

    Args:
        captions: The captions.
        vocabulary: What encodes text.
        length: Most ids that text is encoded to.

    Raises:
        ValueError: When they are of no such form.
    """
    if isinstance(captions, tf.RaggedTensor):
        captions = captions.to_tensor()  # 0 is padding, "" no caption
    captions = tf.convert_to_tensor(captions)
    text, rank = captions.dtype == tf.string, captions.shape.rank
    if rank not in ((1, 2) if text else (2, 3)) or not (
        text or captions.dtype.is_integer
    ):
        raise ValueError(
            "Captions must be text, string [B] or [B, C], or ids, integers [B, T] or "
            f"[B, C, T]; got {captions.dtype.name} of shape {captions.shape}."
        )
    if text:
        ids = vocabulary.encode_in_graph(captions, length)
        captions = tf.where(captions[..., None] == "", PAD, ids)
    if captions.shape.rank == 2:
        captions = captions[:, None]
    return crop(tf.cast(captions, tf.int32))
