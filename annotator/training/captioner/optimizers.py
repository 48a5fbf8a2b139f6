"""The optimizers of a captioner's two phases."""

from collections.abc import Callable

from annotator.config import Config
from annotator.training.optimizers import cosine_adam, cosine_adamw, published_sgd


def optimizers_for(config: Config, steps_per_epoch: int) -> tuple[Callable, Callable]:
    """The optimizers that `config` asks for.

    Args:
        config: `Config`.
        steps_per_epoch: Steps of an epoch.

    Returns:
        Two functions from a factor of the learning rate to a Keras optimizer: for the
        epochs that learn from references, and for those that learn from rewards. The
        first also takes the steps before the optimizer's first, 0 by default.
    """

    def references(factor, start=0):
        rate = factor * config.learning_rate
        if config.schedule == "paper":
            return published_sgd(rate, steps_per_epoch, start)
        return cosine_adamw(
            rate, config.epochs, steps_per_epoch, config.weight_decay, start
        )

    def rewards(factor):
        rate = factor * config.self_critical_rate
        return cosine_adam(rate, config.self_critical_epochs, steps_per_epoch)

    return references, rewards
