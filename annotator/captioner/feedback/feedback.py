"""The interface of the feedback strategies."""

import abc
import typing

import tensorflow as tf

from annotator.captioner.decoders.decoder import Decoder, Prepared
from annotator.captioner.samplers.sampler import Sampler, Step


class Feedback(abc.ABC):
    """Base class of the ways in which a caption's words steer what the decoder sees.

    A strategy reads text in up to three places, and by default in none:

    - before the caption is written, from drafts: `refine_by_own_drafts` where captions
      are decoded, `refine_by_given_drafts` where known captions are read;
    - while it is being written: `stepper`;
    - the same over a caption that is known: `states`.

    It is built for hidden states `[..., H]` and regions `[B, R, D]`.
    """

    built: bool

    @property
    def reads_drafts(self) -> bool:
        """Whether captions can be learned only beside drafts, the model's own text."""
        return False

    @abc.abstractmethod
    def build(self, hidden_shape: tuple, regions_shape: tuple) -> None:
        """Makes the weights, if there are any.

        Args:
            hidden_shape: Of the decoder's hidden states, `(None, None, H)`.
            regions_shape: Of the regions, `(None, None, D)`.
        """

    def check(self, decoder: Decoder) -> None:
        """Refuses decoders that this strategy cannot steer.

        Args:
            decoder: The decoder.

        Raises:
            ValueError: When it has nothing to steer.
        """
        return  # by default any decoder will do

    def refine_by_own_drafts(
        self,
        decoder: Decoder,
        prepared: Prepared,
        sampler: Sampler,
        return_attention: bool = False,
    ) -> tuple[Prepared, dict[str, tf.Tensor]]:
        """The regions to decode from, after drafts that are decoded here.

        Args:
            decoder: The decoder.
            prepared: What it made of B images' regions.
            sampler: How drafts are decoded.
            return_attention: Whether `draft_attention` is told as well.

        Returns:
            What the decoder makes of the refined regions, and a dict: empty for a
            strategy without drafts, else `draft_tokens` int32 `[B, rounds, L + 2]`,
            `word_weights` float32 `[B, rounds, L + 1]`, `region_weights` float32
            `[B, rounds, R]` and `draft_attention` float32
            `[B, rounds, L + 1, layers, R]`.
        """
        return prepared, {}

    def refine_by_given_drafts(
        self,
        decoder: Decoder,
        prepared: Prepared,
        drafts: tf.Tensor | None,
        left_alone: tf.Tensor | None = None,
        training: bool = False,
    ) -> Prepared:
        """The regions to read known captions with, after drafts from before.

        Args:
            decoder: The decoder.
            prepared: What it made of B images' regions.
            drafts: int32 `[B, rounds, T]`, `draft_tokens` of `refine_by_own_drafts`.
                None will do for a strategy without drafts.
            left_alone: bool `[B]`, the images whose regions keep a weight of 1; none
                by default.
            training: Whether dropout is on.

        Returns:
            What the decoder makes of the refined regions.

        Raises:
            ValueError: When there is not one draft a round.
        """
        return prepared

    def stepper(self, decoder: Decoder, prepared: Prepared) -> tuple[Step, typing.Any]:
        """What a sampler calls to write captions.

        Args:
            decoder: The decoder.
            prepared: The regions to decode from.

        Returns:
            A function of tokens `[N]` and state that returns logits `[N, V]` and the
            new state; and the state before `<start>`.
        """

        def step(tokens, state):
            return decoder.step(tokens, state, prepared)[:2]

        return step, prepared["initial"]

    def states(
        self,
        decoder: Decoder,
        prepared: Prepared,
        tokens: tf.Tensor,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        """The states over known captions.

        Args:
            decoder: The decoder.
            prepared: The regions to read them with.
            tokens: Integers `[B, C, T]`, from `<start>` on.
            training: Whether dropout is on.

        Returns:
            The dict of `Decoder.states`. A strategy that steers word by word adds what
            its class says.
        """
        return decoder.states(prepared, tokens, training=training)
