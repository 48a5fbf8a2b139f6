"""Captions without feedback."""

import keras

from annotator.captioner.feedback.feedback import Feedback


@keras.saving.register_keras_serializable(package="annotator")
class NoFeedback(Feedback):
    """The decoder writes alone: no text is read but the caption's own words."""

    built = True  # there are no weights

    def build(self, hidden_shape: tuple, regions_shape: tuple) -> None:
        pass

    def get_config(self) -> dict:
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "NoFeedback":
        return cls(**config)
