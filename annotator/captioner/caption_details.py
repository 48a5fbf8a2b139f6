"""All that a captioner can tell about its captions, as one layer."""

import copy

import keras

from annotator.captioner.samplers.beam_search import BeamSearch


@keras.saving.register_keras_serializable(package="annotator")
class CaptionDetails(keras.layers.Layer):
    """Captions with their runners-up and with where the captioner looked.

    Args:
        captioner: a `Captioner`. If it decodes by beam search, all beams are returned,
            and not only the number it was told to.

    Call arguments:
        regions: `[B, R, D]`.

    Returns of a call:
        `Captioner.generate` with `return_attention`.
    """

    def __init__(self, captioner, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.captioner = captioner
        self.sampler = copy.copy(captioner.sampler)
        if isinstance(self.sampler, BeamSearch):
            self.sampler.results = self.sampler.beams

    def call(self, regions):
        return self.captioner.generate(
            regions, sampler=self.sampler, return_attention=True
        )

    def get_config(self):
        captioner = keras.saving.serialize_keras_object(self.captioner)
        return {**super().get_config(), "captioner": captioner}

    @classmethod
    def from_config(cls, config):
        captioner = keras.saving.deserialize_keras_object(config.pop("captioner"))
        return cls(captioner, **config)
