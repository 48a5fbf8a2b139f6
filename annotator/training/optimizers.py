"""Optimizers: schedules, and rates for kinds of weights."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from annotator.keras_support import internals


class GroupedOptimizer(tf.Module):
    """One optimizer for each group of weights, and one bound for their gradients.

    Weights of the backbone move by `convolution_rate` times the learning rate, those of
    the head's dense layers by `dense_rate` times, all others by the rate itself.

    Weights that join the training later have optimizers of their own, whose counters
    and moments start with their first step. In one that counts from the beginning,
    Adam's correction of moments that are still 0 would be used up: the first steps
    would be up to three times as long as the rate says, and weight decay would shrink
    what has not learned yet.

    Args:
        models: The Keras models whose trainable weights are moved: a head, and the
            backbone if that is trained too.
        make_optimizer: Function from such a factor to a Keras optimizer, unbuilt.
        clip_norm: Largest norm of all gradients together.
        dense_rate: Factor of the head's dense layers.
        convolution_rate: Factor of the backbone.
        late: The weights among them that join later.
        make_late_optimizer: Like `make_optimizer`, for these; its counter starts when
            they join.

    Attributes:
        variables_to_train: The weights that are moved.
        optimizers: The Keras optimizers, one for each factor; then those of the
            weights that join later.
    """

    def __init__(
        self,
        models: Sequence[keras.Model],
        make_optimizer: Callable[[float], keras.optimizers.Optimizer],
        clip_norm: float,
        dense_rate: float = 1.0,
        convolution_rate: float = 1.0,
        late: Sequence[keras.Variable] = (),
        make_late_optimizer: (
            Callable[[float], keras.optimizers.Optimizer] | None
        ) = None,
    ) -> None:
        super().__init__()
        self.clip_norm = clip_norm
        self.variables_to_train = [v for m in models for v in m.trainable_variables]
        factors = _factors(models, dense_rate, convolution_rate)
        late_ids = {id(variable) for variable in late}
        is_late = [id(variable) in late_ids for variable in self.variables_to_train]
        self._groups = []
        self._joins_late = []
        self.optimizers = []
        # Only as many optimizers as there are rates: mostly one.
        for joins_late, make in ((False, make_optimizer), (True, make_late_optimizer)):
            own = [
                f
                for f, late in zip(factors, is_late, strict=True)
                if late == joins_late
            ]
            for factor in sorted(set(own), reverse=True):
                group = [
                    i
                    for i, pair in enumerate(zip(factors, is_late, strict=True))
                    if pair == (factor, joins_late)
                ]
                assert make is not None
                optimizer = make(factor)
                optimizer.build([self.variables_to_train[i] for i in group])
                self._groups.append(group)
                self._joins_late.append(joins_late)
                self.optimizers.append(optimizer)

    def apply(self, gradients: Sequence, with_late: bool = True) -> None:
        """Moves the weights.

        Args:
            gradients: Of `variables_to_train`, in that order; `None` for a weight that
                took no part. Those of all replicas are added.
            with_late: Whether the weights that join later have joined.
        """
        gradients = [
            tf.zeros_like(variable)
            if gradient is None
            else tf.convert_to_tensor(gradient)
            for gradient, variable in zip(
                gradients, self.variables_to_train, strict=True
            )
        ]
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync
        if replicas > 1:
            # The bound is on the sum. Keras adds again what each replica gives it.
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm)
        pairs = [
            (gradient / replicas, variable)
            for gradient, variable in zip(
                gradients, self.variables_to_train, strict=True
            )
        ]
        for optimizer, group, joins_late in zip(
            self.optimizers, self._groups, self._joins_late, strict=True
        ):
            if with_late or not joins_late:
                optimizer.apply(*zip(*(pairs[i] for i in group), strict=True))

    @property
    def learning_rate(self) -> float:
        """The rate of the weights that move fastest, a float."""
        return float(self.optimizers[0].learning_rate)


@keras.saving.register_keras_serializable(package="annotator")
class Joining(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule for an optimizer whose counter starts later than the training.

    Args:
        schedule: The schedule by the steps of the training.
        start: Steps of the training before the optimizer's first.
    """

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, start: int
    ) -> None:
        super().__init__()
        self.schedule = schedule
        self.start = start

    def __call__(self, step: Any) -> Any:
        return self.schedule(step + self.start)

    def get_config(self) -> dict[str, Any]:
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "start": self.start,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Joining":
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["start"])


def cosine_adamw(
    rate: float,
    epochs: int,
    steps_per_epoch: int,
    weight_decay: float,
    start: int = 0,
) -> keras.optimizers.Optimizer:
    """AdamW, warmed up for two epochs or a tenth of all, then a cosine decay to 0.

    Args:
        rate: Peak learning rate.
        epochs: Epochs until the rate is 0.
        steps_per_epoch: Steps of an epoch.
        weight_decay: Of AdamW.
        start: Steps before the first of this optimizer.
    """
    total = epochs * steps_per_epoch
    warmup = min(total // 10, 2 * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), warmup_target=rate, warmup_steps=warmup
    )
    if start:
        schedule = Joining(schedule, start)
    return keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


def published_sgd(
    rate: float, steps_per_epoch: int, start: int = 0
) -> keras.optimizers.Optimizer:
    """SGD with Nesterov momentum and a tenth of the rate every 10 epochs (Deng et al.).

    It is the captioner's published training.

    Args:
        rate: Learning rate of the first ten epochs.
        steps_per_epoch: Steps of an epoch.
        start: Steps before the first of this optimizer.
    """
    steps = [10 * epoch * steps_per_epoch for epoch in range(1, 10)]
    rates = [rate * 0.1**drop for drop in range(10)]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(steps, rates)
    if start:
        schedule = Joining(schedule, start)
    return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)


def cosine_adam(
    rate: float, epochs: int, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Adam and a cosine decay without warm-up, for weights that are good already.

    Args:
        rate: Learning rate of the first step.
        epochs: Epochs until the rate is 0.
        steps_per_epoch: Steps of an epoch.
    """
    steps = max(1, epochs * steps_per_epoch)
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))


def _factors(models, dense_rate, convolution_rate):
    """What the learning rate is multiplied by, for each trainable weight."""
    head, *backbones = models
    factor = {
        id(v): dense_rate
        for layer in internals.flattened_layers(head)
        if isinstance(layer, keras.layers.Dense)
        for v in layer.trainable_variables
    }
    # Some networks write convolutions as dense layers, and all have other weights yet.
    for backbone in backbones:
        factor |= {id(v): convolution_rate for v in backbone.trainable_variables}
    return [factor.get(id(v), 1.0) for m in models for v in m.trainable_variables]
