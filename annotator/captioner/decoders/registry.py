"""The decoders by name."""

import typing

from annotator.captioner.decoders.attending import AttendingDecoder
from annotator.captioner.decoders.brnn import BrnnDecoder
from annotator.captioner.decoders.decoder import Decoder
from annotator.captioner.decoders.hard import HardDecoder
from annotator.captioner.decoders.log_bilinear import LogBilinearDecoder
from annotator.captioner.decoders.nic import NicDecoder
from annotator.captioner.decoders.soft import SoftDecoder
from annotator.captioner.decoders.stacked import StackedDecoder

_DECODERS: dict[str, type[Decoder]] = {
    "brnn": BrnnDecoder,
    "hard": HardDecoder,
    "log_bilinear": LogBilinearDecoder,
    "nic": NicDecoder,
    "soft": SoftDecoder,
    "stacked": StackedDecoder,
}


def decoder_names() -> list[str]:
    """The names that `build_decoder` knows.

    Returns:
        All of them, in alphabetical order.
    """
    return sorted(_DECODERS)


def attends(name: str) -> bool:
    """Whether a decoder looks at the regions at every word.

    Args:
        name: One of `decoder_names()`.
    """
    return issubclass(_DECODERS[name], AttendingDecoder)


def build_decoder(
    name: str,
    vocabulary_size: int,
    layers: int = 4,
    seed: int = 0,
    **options: typing.Any,
) -> Decoder:
    """A decoder by its name.

    Args:
        name: One of `decoder_names()`.
        vocabulary_size: V, number of words.
        layers: k of the stacked decoder, 1 to 6, where 1 is the decoder "soft". The
            other decoders have one layer and ignore it.
        seed: Of the decoder that draws, "hard"; the others ignore it.
        **options: See `EmbeddingDecoder`; of those that attend, `AttendingDecoder`.

    Returns:
        The decoder, unbuilt.

    Raises:
        ValueError: When there is no such decoder, or `reweighs` asks one without
            attention for its attention.
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
    if not issubclass(_DECODERS[name], AttendingDecoder):
        if options.pop("reweighs", "regions") != "regions":
            raise ValueError(f"The decoder {name!r} has no attention to reweigh.")
    return _DECODERS[name](vocabulary_size, **options)
