"""Text feedback from drafts: captions that the decoder wrote before."""

import keras
import tensorflow as tf

from annotator.captioner.decoders.decoder import Decoder, Prepared
from annotator.captioner.feedback.region_scoring import RegionScoring
from annotator.captioner.samplers.sampler import Sampler
from annotator.captioner.vocabulary import END, PAD


@keras.saving.register_keras_serializable(package="annotator")
class TextFeedback(RegionScoring):
    """Weighs the regions by a draft of the caption, for a second look at them.

    From the decoder's states h_t over the n words of the draft:

        e_t   = MLP(h_t)                      one score per word
        alpha = softmax_t(e)
        s     = sum_t alpha_t h_t             the caption's attended feature
        u_i   = tanh(W_v v_i + W_s s)
        beta  = softmax_i(w^T u_i)
        v'_i  = R beta_i v_i                  a mean weight of 1

    h_t is the state that predicts word t of the draft. The decoder then runs again
    on v', or, where it says so (`AttendingDecoder.reweighs`), with log beta added to
    the scores of its attention. Draft, feedback and refined caption are one round; in
    every round it is the original regions that are weighed, so weights do not pile up.

    The draft must be a caption that the model decoded itself, without a look at the
    reference. States over the reference would show the second run the answer.

    Args:
        units: Width of the joint feature u and of the hidden layer of the MLP.
        rounds: How often the regions are weighed anew; 0 is no feedback.
        jit_compile: Whether XLA compiles the scores of the regions.
        score: `"additive"`, or `"scalar"` for u of one unit and no w, as printed.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: When `rounds` is negative.

    Reference: Deng et al., Deep image annotation model based on attention feedback
    mechanism. It prints `beta = softmax_i(tanh(W_v v_i + W_s s))`, which needs a scalar
    in the tanh, and says that beta corrects the attention: w^T, v' and the mean weight
    of 1 are our reading.
    """

    @property
    def reads_drafts(self) -> bool:
        """Whether there is a round, and so a draft to read."""
        return self.rounds > 0

    def refine_by_own_drafts(
        self,
        decoder: Decoder,
        prepared: Prepared,
        sampler: Sampler,
        return_attention: bool = False,
    ) -> tuple[Prepared, dict[str, tf.Tensor]]:
        current = prepared
        rounds = []
        for _ in range(self.rounds):
            step, initial = self.stepper(decoder, current)
            draft = sampler(step, initial)["tokens"][:, 0]
            refined, details = self.refine(decoder, prepared, current, draft)
            details["draft_tokens"] = draft
            if return_attention:
                states = decoder.states(current, draft[:, None, :-1])
                details["draft_attention"] = states["attention_weights"][:, 0]
            current = refined
            rounds.append(details)
        names = rounds[0] if rounds else ()
        return current, {
            name: tf.stack([details[name] for details in rounds], axis=1)
            for name in names
        }

    def refine_by_given_drafts(
        self,
        decoder: Decoder,
        prepared: Prepared,
        drafts: tf.Tensor | None,
        left_alone: tf.Tensor | None = None,
        training: bool = False,
    ) -> Prepared:
        if not self.rounds:
            return prepared
        if drafts is None or drafts.shape[1] != self.rounds:
            raise ValueError(
                f"{self.rounds} rounds of feedback need drafts [B, {self.rounds}, T], "
                f"got {None if drafts is None else drafts.shape}. Pass what `draft` "
                "returns."
            )
        current = prepared
        for i in range(self.rounds):
            current, _ = self.refine(
                decoder, prepared, current, drafts[:, i], left_alone, training
            )
        return current

    def refine(
        self,
        decoder: Decoder,
        prepared: Prepared,
        current: Prepared,
        draft: tf.Tensor,
        left_alone: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[Prepared, dict[str, tf.Tensor]]:
        """One round: weighs the regions by a draft.

        Args:
            decoder: The decoder.
            prepared: What it made of the original regions.
            current: What it made of the regions the draft was decoded from, which
                is `prepared` in the first round.
            draft: int32 `[B, T]`, the model's own caption with `<start>` and
                `<end>`.
            left_alone: bool `[B]`, the images whose regions keep a weight of 1; none
                by default.
            training: Whether dropout is on.

        Returns:
            What the decoder makes of the re-weighted regions; and a dict of
            `word_weights` alpha, float32 `[B, T - 1]`, one for each token after
            `<start>`, and `region_weights` R beta, float32 `[B, R]`.
        """
        inputs, targets = draft[:, :-1], draft[:, 1:]
        states = decoder.states(current, inputs[:, None], training=training)
        hidden = states["hidden"][:, 0]
        scores = self.word_scores(hidden)
        is_word = (targets != END) & (targets != PAD)
        # A draft without words still has its first state.
        first = tf.range(tf.shape(targets)[1]) == 0
        scores = tf.where(is_word | first, scores, scores.dtype.min)
        word_weights = tf.nn.softmax(scores)
        feature = tf.einsum("bt,bth->bh", tf.cast(word_weights, hidden.dtype), hidden)
        keys, region_mask = self.project(prepared), prepared["region_mask"]
        region_weights = self.region_weights(feature[:, None], keys, region_mask)[:, 0]
        if left_alone is not None:
            region_weights = tf.where(left_alone[:, None], 1.0, region_weights)
        return decoder.reweigh(prepared, region_weights), {
            "word_weights": word_weights,
            "region_weights": region_weights,
        }
