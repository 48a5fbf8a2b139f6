"""All that a captioner can tell about its captions, as one layer."""

import copy
import typing

import keras
import tensorflow as tf

from annotator.captioner.captioner import Captioner
from annotator.captioner.samplers.beam_search import BeamSearch


@keras.saving.register_keras_serializable(package="annotator")
class CaptionDetails(keras.layers.Layer):
    """Captions with their runners-up and with where the captioner looked.

    Args:
        captioner: The captioner. If it decodes by beam search, all beams are returned,
            and not only the number it was told to.
        **kwargs: Of `keras.layers.Layer`.

    Call arguments:
        regions: `[B, R, D]`.

    Output shape:
        The dict of `Captioner.generate` with `return_attention`: to captions and
        scores it adds what follows, where row t belongs to the token t + 1, L is the
        most words of a caption and L' that of a draft.

        - `attention` float32 `[B, L + 1, layers, R]`.
        - With rounds of feedback from drafts `drafts` string `[B, rounds]`,
          `draft_tokens` int32 `[B, rounds, L' + 2]`, `draft_attention` float32
          `[B, rounds, L' + 1, layers, R]`, `word_weights` float32
          `[B, rounds, L' + 1]` and `region_weights` float32 `[B, rounds, R]`.
        - With causal feedback `plain_attention`, like `attention`, of the same caption
          read without feedback; and of the last round `word_weights` float32
          `[B, L + 1, L + 1]`, in row t those of the words before the token t + 1
          (column j is the token j + 1), and `region_weights` float32 `[B, L + 1, R]`.
    """

    def __init__(self, captioner: Captioner, **kwargs: typing.Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.captioner = captioner
        self.sampler = copy.copy(captioner.sampler)
        if isinstance(self.sampler, BeamSearch):
            self.sampler.results = self.sampler.beams

    def call(self, regions: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.captioner.generate(
            regions, sampler=self.sampler, return_attention=True
        )

    def get_config(self) -> dict:
        captioner = keras.saving.serialize_keras_object(self.captioner)
        return {**super().get_config(), "captioner": captioner}

    @classmethod
    def from_config(cls, config: dict) -> "CaptionDetails":
        captioner = keras.saving.deserialize_keras_object(config.pop("captioner"))
        return cls(captioner, **config)
