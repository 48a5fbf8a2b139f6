"""How weights move in training: schedules, and rates for kinds of weights."""

import keras
import tensorflow as tf


class GroupedOptimizer(tf.Module):
    """One optimiser for each group of weights, and one bound for their gradients.

    Weights of the backbone move by `config.convolution_rate` times the learning rate,
    those of the head's dense layers by `config.dense_rate` times, all others by the
    rate itself.

    Args:
        config: `Config`.
        models: The Keras models whose trainable weights are moved: a head, and the
            backbone if that is trained too.
        steps_per_epoch: What schedules count in.
        self_critical: Whether it is for the epochs that learn rewards: the cosine
            decay of `config.self_critical_rate`, whatever the schedule before.
    """

    def __init__(self, config, models, steps_per_epoch, self_critical=False):
        super().__init__()
        self.clip_norm = config.clip_norm
        self.variables_to_train = [v for m in models for v in m.trainable_variables]
        factors = _factors(config, models)
        self._groups = []
        self.optimizers = []
        # Only as many optimisers as there are rates: mostly one.
        for factor in sorted(set(factors), reverse=True):
            group = [i for i, own in enumerate(factors) if own == factor]
            optimizer = (
                _self_critical_optimizer(config, factor, steps_per_epoch)
                if self_critical
                else _optimizer(config, factor, steps_per_epoch)
            )
            optimizer.build([self.variables_to_train[i] for i in group])
            self._groups.append(group)
            self.optimizers.append(optimizer)

    def apply(self, gradients):
        """Moves the weights.

        Args:
            gradients: Of `variables_to_train`, in that order; `None` for a weight that
                took no part. Those of all replicas are added.
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
        for optimizer, group in zip(self.optimizers, self._groups, strict=True):
            optimizer.apply(*zip(*(pairs[i] for i in group), strict=True))

    @property
    def learning_rate(self):
        """The rate of the weights that move fastest, a float."""
        return float(self.optimizers[0].learning_rate)


def _factors(config, models):
    """What the learning rate is multiplied by, for each trainable weight."""
    head, *backbones = models
    factor = {
        id(v): config.dense_rate
        for layer in head._flatten_layers()
        if isinstance(layer, keras.layers.Dense)
        for v in layer.trainable_variables
    }
    # Some networks write convolutions as dense layers, and all have other weights yet.
    for backbone in backbones:
        factor |= {id(v): config.convolution_rate for v in backbone.trainable_variables}
    return [factor.get(id(v), 1.0) for m in models for v in m.trainable_variables]


def _optimizer(config, factor, steps_per_epoch):
    """AdamW with warm-up and cosine decay, or the published SGD."""
    rate = factor * config.learning_rate
    if config.schedule == "paper":
        steps = [10 * epoch * steps_per_epoch for epoch in range(1, 10)]
        rates = [rate * 0.1**drop for drop in range(10)]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay(steps, rates)
        return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)
    total = config.epochs * steps_per_epoch
    warmup = min(total // 10, 2 * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), warmup_target=rate, warmup_steps=warmup
    )
    return keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)


def _self_critical_optimizer(config, factor, steps_per_epoch):
    """Adam with cosine decay, without warm-up: the weights are good already."""
    rate = factor * config.self_critical_rate
    steps = max(1, config.self_critical_epochs * steps_per_epoch)
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
