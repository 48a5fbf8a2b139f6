"""The decoders by name."""

from annotator.captioner.brnn_decoder import BrnnDecoder
from annotator.captioner.hard_decoder import HardDecoder
from annotator.captioner.log_bilinear_decoder import LogBilinearDecoder
from annotator.captioner.nic_decoder import NicDecoder
from annotator.captioner.soft_decoder import SoftDecoder
from annotator.captioner.stacked_decoder import StackedDecoder

_DECODERS = {
    "brnn": BrnnDecoder,
    "hard": HardDecoder,
    "log_bilinear": LogBilinearDecoder,
    "nic": NicDecoder,
    "soft": SoftDecoder,
    "stacked": StackedDecoder,
}


def decoder_names():
    """The names that `build_decoder` knows."""
    return sorted(_DECODERS)


def build_decoder(name, vocabulary_size, layers=4, seed=0, **options):
    """A decoder by its name.

    Args:
        name: one of `decoder_names()`.
        vocabulary_size: number of words.
        layers: k of the stacked decoder, 1 to 6, where 1 is the decoder "soft". The
            other decoders have one layer and ignore it.
        seed: of the decoder that draws, "hard"; the others ignore it.
        **options: see `Decoder`.

    Raises:
        ValueError: if there is no such decoder.
    """
    if name not in _DECODERS:
        raise ValueError(
            f"There is no decoder {name!r}. Choose one of {decoder_names()}."
        )
    if name == "stacked" and layers == 1:
        name = "soft"
    if name == "stacked":
        options["layers"] = layers
    if name == "hard":
        options["seed"] = seed
    return _DECODERS[name](vocabulary_size, **options)
