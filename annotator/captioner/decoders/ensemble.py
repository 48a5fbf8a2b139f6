"""Several trained captioners that write one caption together."""

import typing
from collections.abc import Sequence

import keras
import tensorflow as tf

from annotator.captioner.captioner import Captioner
from annotator.captioner.decoders.decoder import Decoder, Mask, Prepared, State
from annotator.captioner.feedback.causal import CausalTextFeedback
from annotator.captioner.samplers.sampler import Sampler


@keras.saving.register_keras_serializable(package="annotator")
class EnsembleDecoder(Decoder):
    """The mean of the log probabilities that captioners give the next word.

    All read the same regions, each by its own standardization, and the words so far.
    Logits are averaged: after the softmax, that is the geometric mean of the members'
    probabilities, normalized, and so is the mean of their log probabilities. Feedback
    from drafts is each member's own. The attention weights are means over the members;
    if these attend by different numbers of layers, over their layers, too.

    The hidden states are those of the members side by side.

    Args:
        members: Built captioners with the same words, precision and channels of
            regions.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: When there are none, or they do not go together.
    """

    def __init__(self, members: Sequence[Captioner], **kwargs: typing.Any) -> None:
        _check(members)
        kwargs.setdefault("dtype", members[0].dtype_policy)
        units = sum(member.decoder.units for member in members)
        super().__init__(len(members[0].vocabulary), units, **kwargs)
        self.members = list(members)
        layers = {member.decoder.attending_layers for member in members} - {0}
        self.attending_layers = 1 if len(layers) > 1 else max(layers, default=0)

    def build(self, regions_shape: tuple) -> None:
        for member in self.members:  # those from a file are built already
            if not member.built:
                member.build(regions_shape)
        self.built = True

    def prepare(self, regions: tf.Tensor, region_mask: Mask = None) -> Prepared:
        """See `Decoder`; with the members' own `Prepared` in `members`.

        Args:
            regions: `[B, R, D]`, as they were before any standardization.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            The dict of `Decoder.prepare`.
        """
        prepared = []
        for member in self.members:
            refined, _ = member.feedback.refine_by_own_drafts(
                member.decoder,
                member.prepare(regions, region_mask),
                member.draft_sampler,
            )
            prepared.append(refined)
        return {
            "regions": regions,
            "region_mask": region_mask,
            "initial": tuple(each["initial"] for each in prepared),
            "members": prepared,
        }

    def states(
        self,
        prepared: Prepared,
        tokens: tf.Tensor,
        region_weights: tf.Tensor | None = None,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        states = [
            member.decoder.states(each, tokens, region_weights, training)
            for member, each in zip(self.members, prepared["members"], strict=True)
        ]
        return {
            "hidden": tf.concat([each["hidden"] for each in states], axis=-1),
            "attention_weights": self._mean_attention(
                [each["attention_weights"] for each in states]
            ),
        }

    def step_states(
        self,
        tokens: tf.Tensor,
        state: State,
        prepared: Prepared,
        region_weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, State, tf.Tensor]:
        hidden, states, attention = zip(
            *(
                member.decoder.step_states(tokens, own, each, region_weights)
                for member, own, each in zip(
                    self.members, state, prepared["members"], strict=True
                )
            ),
            strict=True,
        )
        return tf.concat(hidden, axis=-1), states, self._mean_attention(attention)

    def logits(self, hidden: tf.Tensor, training: bool = False) -> tf.Tensor:
        widths = [member.decoder.units for member in self.members]
        return _mean(
            [
                member.decoder.logits(own, training)
                for member, own in zip(
                    self.members, tf.split(hidden, widths, axis=-1), strict=True
                )
            ]
        )

    def _mean_attention(self, weights):
        """The mean of members' weights `[..., their layers, R]`: `[..., L, R]`."""
        shown = []
        for member, each in zip(self.members, weights, strict=True):
            if member.decoder.attending_layers == self.attending_layers:
                shown.append(each)
            elif member.decoder.attending_layers:
                shown.append(tf.reduce_mean(each, axis=-2, keepdims=True))
        return _mean(shown)

    def get_config(self) -> dict:
        config = super().get_config()
        for name in ("vocabulary_size", "units"):  # the members'
            del config[name]
        members = map(keras.saving.serialize_keras_object, self.members)
        return {**config, "members": list(members)}

    @classmethod
    def from_config(cls, config: dict) -> "EnsembleDecoder":
        members = map(keras.saving.deserialize_keras_object, config["members"])
        return cls(**{**config, "members": list(members)})


def ensemble(members: Sequence[Captioner], sampler: Sampler | None = None) -> Captioner:
    """The captioner in which several write together.

    Args:
        members: As of `EnsembleDecoder`.
        sampler: How captions are decoded; that of the first member by default.

    Returns:
        A built captioner without feedback of its own.

    Raises:
        ValueError: As of `EnsembleDecoder`.
    """
    decoder = EnsembleDecoder(members)
    first = members[0]
    captioner = Captioner(
        first.vocabulary,
        decoder,
        sampler=sampler or first.sampler,
        dtype=first.dtype_policy,
    )
    captioner.build(first.regions_shape)
    return captioner


def _check(members):
    if not members:
        raise ValueError("members=[]: an ensemble has one captioner or more.")
    for place, member in enumerate(members):
        if isinstance(member.feedback, CausalTextFeedback):
            raise ValueError(
                f"Captioner {place} has causal feedback, which steers a caption by its "
                "own words alone. Members have feedback from drafts, or none."
            )
        for what, value in _AGREEING.items():
            own, first = value(member), value(members[0])
            if own != first:
                raise ValueError(
                    f"Captioner {place} of an ensemble has {what} {own}, the first "
                    f"one {first}: they must be the same."
                )


_AGREEING = {
    "the words with the fingerprint": lambda m: m.vocabulary.fingerprint(),
    "the precision": lambda m: m.dtype_policy.name,
    "regions of the shape": lambda m: m.regions_shape if m.built else None,
}


def _mean(tensors):
    """The mean of tensors; of one, it is that one to the bit."""
    return tf.add_n(list(tensors)) / len(tensors)
