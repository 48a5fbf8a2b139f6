"""Text feedback: a draft caption tells the decoder which regions to believe."""

import keras
import tensorflow as tf

from annotator.captioner.decoders.additive_attention import AdditiveAttention
from annotator.captioner.vocabulary import END, PAD


@keras.saving.register_keras_serializable(package="annotator")
class TextFeedback(keras.layers.Layer):
    """Weighs the regions by a draft of the caption, for a second look at them.

    From the decoder's states h_t over the n words of the draft:

        e_t   = MLP(h_t)                      one score per word
        alpha = softmax_t(e)
        s     = sum_t alpha_t h_t             the caption's attended feature
        u_i   = tanh(W_v v_i + W_s s)
        beta  = softmax_i(w^T u_i)
        v'_i  = R beta_i v_i                  a mean weight of 1

    h_t is the state that predicts word t of the draft. The decoder then runs again
    on v'. Draft, feedback and refined caption are one round; in every round it is
    the original regions that are weighed, so weights do not pile up.

    The draft must be a caption that the model decoded itself, without a look at the
    reference. States over the reference would show the second run the answer.

    Args:
        units: width of the joint feature u and of the hidden layer of the MLP.
        rounds: how often the regions are weighed anew; 0 is no feedback.
        jit_compile: whether XLA compiles the scores of the regions.

    Reference: Deng et al., Deep image annotation model based on attention feedback
    mechanism; that the mean weight is 1 is our reading.
    """

    causal = False

    def __init__(self, units=512, rounds=1, jit_compile=True, **kwargs):
        super().__init__(**kwargs)
        if rounds < 0:
            raise ValueError(f"rounds={rounds} is negative; 0 turns feedback off.")
        self.units = units
        self.rounds = rounds
        self.jit_compile = jit_compile
        policy = self.dtype_policy
        self.word_hidden = keras.layers.Dense(
            units, activation="tanh", dtype=policy, name="word_hidden"
        )
        self.word_score = keras.layers.Dense(1, dtype=policy, name="word_score")
        self.joint = AdditiveAttention(
            units, jit_compile=jit_compile, dtype=policy, name="joint"
        )

    def build(self, hidden_shape, regions_shape):
        self.word_hidden.build(hidden_shape)
        self.word_score.build((None, None, self.units))
        self.joint.build(hidden_shape, regions_shape)
        self.built = True

    def project(self, prepared):
        """Keys `[B, R, A]` of the original regions, the same in every round."""
        return self.joint.project(prepared["regions"])

    def refine(
        self, decoder, prepared, current, draft, left_alone=None, training=False
    ):
        """One round: weighs the regions by a draft.

        Args:
            decoder: a `Decoder`.
            prepared: what it made of the original regions.
            current: what it made of the regions the draft was decoded from, which
                is `prepared` in the first round.
            draft: int32 `[B, T]`, the model's own caption with `<start>` and
                `<end>`.
            left_alone: bool `[B]`, images whose regions keep a weight of 1.

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

    def word_scores(self, hidden):
        """e, float32 `[...]`, of states `[..., H]`."""
        return tf.cast(self.word_score(self.word_hidden(hidden))[..., 0], tf.float32)

    def region_weights(self, features, keys, region_mask=None):
        """R beta, float32 `[B, Q, R]`, of caption features `[B, Q, H]`."""
        weights = self.joint.attention_weights(features, keys, region_mask)
        if region_mask is None:
            return weights * tf.cast(tf.shape(weights)[-1], tf.float32)
        count = tf.reduce_sum(tf.cast(region_mask, tf.float32), axis=1)
        return weights * count[:, None, None]

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "rounds": self.rounds,
            "jit_compile": self.jit_compile,
        }
