"""The captioner: regions in, text out."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from annotator import keras_internals
from annotator.captioner.decoders.decoder import repeat_rows
from annotator.captioner.losses import caption_losses, self_critical_losses
from annotator.captioner.samplers.beam_search import BeamSearch
from annotator.captioner.samplers.greedy import GreedySampler
from annotator.captioner.samplers.random import RandomSampler
from annotator.captioner.vocabulary import PAD


@keras.saving.register_keras_serializable(package="annotator")
class Captioner(keras.Model):
    """A vocabulary, a decoder and text feedback, trained and used as one.

    Args:
        vocabulary: a `Vocabulary`.
        decoder: a `Decoder` for that many words.
        feedback: a `TextFeedback`, a `CausalTextFeedback` or None.
        sampler: how captions are decoded; `BeamSearch()` by default.
        draft_sampler: how the drafts for the feedback are decoded; by default a
            `GreedySampler` with the limits of `sampler`.
        plain_rate: share of the training images that skip the feedback. The drafts
            are decoded without feedback, so the decoder must keep that skill.
        seed: of the choice of these images.

    Call arguments:
        regions: `[B, R, D]`.
        region_mask: bool `[B, R]` or None, False for padding regions.

    Returns of a call:
        `generate(regions)`, so `predict` writes captions.
    """

    def __init__(
        self,
        vocabulary,
        decoder,
        feedback=None,
        sampler=None,
        draft_sampler=None,
        plain_rate=0.5,
        seed=0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if decoder.vocabulary_size != len(vocabulary):
            raise ValueError(
                f"The decoder has {decoder.vocabulary_size} words, the vocabulary "
                f"{len(vocabulary)}. Build it with len(vocabulary)."
            )
        if feedback is not None and feedback.causal and not decoder.attending_layers:
            raise ValueError(
                f"{type(decoder).__name__} has no attention that causal feedback could "
                "steer. Use the feedback from drafts, or none."
            )
        self.vocabulary = vocabulary
        self.decoder = decoder
        self.feedback = feedback
        self.decode_by(sampler or BeamSearch(), draft_sampler)
        self.plain_rate = plain_rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, regions_shape):
        self.regions_shape = tuple(regions_shape)
        fixed = {"shape": regions_shape[-1:], "trainable": False, "dtype": "float32"}
        # Called as a layer, the model would round them: that it has no autocast holds
        # for its inputs alone.
        fixed["autocast"] = False
        self.region_mean = self.add_weight(
            initializer="zeros", name="region_mean", **fixed
        )
        self.region_deviation = self.add_weight(
            initializer="ones", name="region_deviation", **fixed
        )
        # Parts that come from a file are built already.
        if not self.decoder.built:
            self.decoder.build(regions_shape)
        if self.feedback is not None and not self.feedback.built:
            self.feedback.build((None, None, self.decoder.units), regions_shape)
        self.built = True

    def decode_by(self, sampler, draft_sampler=None):
        """Sets how captions are decoded; see the class."""
        self.sampler = sampler
        self.draft_sampler = draft_sampler or GreedySampler(
            sampler.max_length, sampler.no_repeat_ngram
        )

    def standardize(self, mean, deviation):
        """Sets what is taken off the channels of regions, and what they are divided by.

        Feature maps of different networks differ by orders of magnitude, and channels
        of one network as well; what all images share tells none of them apart.

        Args:
            mean: `[D]`, of the training regions.
            deviation: `[D]`; a channel that never varies (0) is only centered.
        """
        self.region_mean.assign(mean)
        self.region_deviation.assign(np.where(np.asarray(deviation) > 0, deviation, 1))

    def call(self, regions, region_mask=None):
        return self.generate(regions, region_mask=region_mask)

    def generate(
        self,
        regions,
        sampler=None,
        region_mask=None,
        return_attention=False,
        with_feedback=True,
    ):
        """Captions of a batch of images.

        Args:
            regions: `[B, R, D]`.
            sampler: a `Sampler`, the captioner's own by default.
            region_mask: bool `[B, R]` or None.
            return_attention: whether to also return the last group below.
            with_feedback: false for what the decoder writes alone, as it does before
                the feedback has joined its training.

        Returns:
            A dict, where L is the sampler's `max_length`, n its number of results:
            `captions` string `[B]`, `tokens` int32 `[B, L + 2]`, `scores` and
            `log_probs` float32 `[B]`; `n_best_captions` `[B, n]`, `n_best_tokens`
            `[B, n, L + 2]`, `n_best_scores` `[B, n]`, best first. With
            `return_attention`, where row t belongs to the token t + 1:
            `attention` `[B, L + 1, layers, R]`. With rounds of feedback from drafts
            also `drafts` string `[B, rounds]`, `draft_tokens` `[B, rounds, L' + 2]`,
            `draft_attention` `[B, rounds, L' + 1, layers, R]`, `word_weights`
            `[B, rounds, L' + 1]` and `region_weights` `[B, rounds, R]`. With causal
            feedback also `plain_attention`, like `attention`, of the same caption
            read without feedback; and of the last round `word_weights`
            `[B, L + 1, L + 1]`, in row t those of the words before the token t + 1
            (column j is the token j + 1), and `region_weights` `[B, L + 1, R]`.
        """
        sampler = sampler or self.sampler
        with self._weights_cast_once():
            prepared = self._prepare(regions, region_mask)
            feedback = self.feedback if with_feedback else None
            current, rounds = self._refine_by_own_drafts(
                prepared, feedback, return_attention
            )
            found = sampler(*self._stepper(current, feedback))
            results = {
                "captions": self.vocabulary.decode_in_graph(found["tokens"][:, 0]),
                "tokens": found["tokens"][:, 0],
                "scores": found["scores"][:, 0],
                "log_probs": found["log_probs"][:, 0],
                "n_best_captions": self.vocabulary.decode_in_graph(found["tokens"]),
                "n_best_tokens": found["tokens"],
                "n_best_scores": found["scores"],
            }
            if not return_attention:
                return results
            states = self._states(current, feedback, found["tokens"][:, :1, :-1])
            results["attention"] = states["attention_weights"][:, 0]
            for name in ("plain_attention", "word_weights", "region_weights"):
                if name in states:
                    results[name] = states[name][:, 0]
            for name in rounds[0] if rounds else ():
                results[name] = tf.stack([found[name] for found in rounds], axis=1)
            if rounds:
                results["drafts"] = self.vocabulary.decode_in_graph(
                    results["draft_tokens"]
                )
            return results

    def draft(self, regions, region_mask=None):
        """The model's own captions that `caption_loss` needs for feedback.

        Args:
            regions: `[B, R, D]`.
            region_mask: bool `[B, R]` or None.

        Returns:
            int32 `[B, rounds, L + 2]`; zero rounds without feedback from drafts.
        """
        with self._weights_cast_once():
            prepared = self._prepare(regions, region_mask)
            _, rounds = self._refine_by_own_drafts(prepared, self.feedback)
        if not rounds:
            return tf.zeros([tf.shape(regions)[0], 0, 2], tf.int32)
        return tf.stack([found["draft_tokens"] for found in rounds], axis=1)

    def caption_loss(
        self,
        regions,
        tokens,
        draft=None,
        region_mask=None,
        with_feedback=True,
        label_smoothing=0.0,
        attention_regularizer=0.0,
        training=True,
    ):
        """The cross entropy of reference captions, as sums.

        Sums and counts, unlike means, can be added over replicas and batches:
        divide the sum of all `loss` by the sum of all `tokens`.

        Args:
            regions: `[B, R, D]`.
            tokens: int32 `[B, C, T]`, C captions for each image as the vocabulary
                encodes them. Captions that are only padding count nothing.
            draft: int32 `[B, rounds, T']` from `draft`, required for feedback from
                drafts.
            region_mask: bool `[B, R]` or None.
            with_feedback: false for epochs that train the decoder alone, before the
                feedback joins; its weights then get no gradient.
            label_smoothing: share of the probability spread over all words.
            attention_regularizer: factor of the squared differences between the
                attention a region gets over a whole caption and the mean of all
                regions ("doubly stochastic attention" of Show, Attend and Tell).
            training: whether dropout, sampling and plain images are on.

        Returns:
            A dict of float32 scalars: `loss`, what to minimize; `cross_entropy`,
            the part that is the negative log probability of the references;
            `tokens`, the number of words and `<end>`s.

        Raises:
            ValueError: if feedback needs drafts and there are none.
        """
        inputs, targets = tokens[..., :-1], tokens[..., 1:]
        prepared = self._prepare(regions, region_mask)
        if with_feedback:
            current = self._refine_by_given_drafts(prepared, draft, training)
            states = self._states(current, self.feedback, inputs, training)
        else:
            states = self._states(prepared, None, inputs, training)
        return caption_losses(
            self.decoder,
            states,
            targets,
            region_mask,
            label_smoothing,
            attention_regularizer,
            training,
        )

    def self_critical_loss(self, regions, reward, seed, samples=5, region_mask=None):
        """The loss of captions the model draws itself, as sums; see `caption_loss`.

        Captions that are rewarded more than the others of the same image become more
        probable, those that are rewarded less become less so: the policy gradient of
        the expected reward. Feedback is on for all images and reads drafts that are
        decoded here; there is no dropout, so the captions are drawn from the very
        distribution that learns.

        Args:
            regions: `[B, R, D]`.
            reward: a function of int32 tokens `[B, samples, L + 2]` (with `<start>`,
                `<end>` and padding) that returns float32 `[B, samples]`.
            seed: int32 scalar; the same seed draws the same captions.
            samples: captions drawn for each image, at least 2.
            region_mask: bool `[B, R]` or None.

        Returns:
            A dict of float32 scalars: `loss`, what to minimize; `tokens`, the number
            of words and `<end>`s drawn; `reward` and `captions`, the sum of the
            rewards and the number of captions.

        Raises:
            ValueError: if there is one caption an image, with none to compare it to.

        References: Rennie et al., Self-critical sequence training for image
        captioning (CVPR 2017); the mean of the other captions as the baseline is that
        of Luo, A better variant of self-critical sequence training (2020).
        """
        if samples < 2:
            raise ValueError(
                f"samples={samples}: captions of an image are compared with each "
                "other. Draw 2 or more."
            )
        prepared = self._prepare(regions, region_mask)
        sampler = RandomSampler(seed=seed, max_length=self.sampler.max_length)
        with self._weights_cast_once():
            current, rounds = self._refine_by_own_drafts(prepared, self.feedback)
            step, initial = self._stepper(current, self.feedback)
            tokens = sampler(step, repeat_rows(initial, samples))["tokens"]
        tokens = tf.reshape(tokens, [tf.shape(regions)[0], samples, -1])
        draft = None
        if rounds:
            draft = tf.stack([found["draft_tokens"] for found in rounds], axis=1)
        current = self._refine_by_given_drafts(prepared, draft, training=False)
        # The last place is never drawn: an <end> there only closes the caption.
        drawn = _crop(tokens[..., :-1])
        states = self._states(current, self.feedback, drawn[..., :-1])
        return self_critical_losses(
            self.decoder, states, drawn[..., 1:], reward(tokens)
        )

    def set_jit_compile(self, enabled):
        """Whether XLA compiles the attention of graphs traced from now on.

        Compiled, it is several times faster; some servers cannot run a graph that
        asks for XLA.
        """
        parts = (
            [self.decoder] if self.feedback is None else [self.decoder, self.feedback]
        )
        for part in parts:
            for layer in keras_internals.flattened_layers(part):
                if hasattr(layer, "jit_compile"):
                    layer.jit_compile = enabled

    def _prepare(self, regions, region_mask):
        regions = tf.convert_to_tensor(regions)
        regions = tf.cast(regions, tf.float32) - self.region_mean
        regions /= self.region_deviation
        return self.decoder.prepare(regions, region_mask)

    def _refine_by_own_drafts(self, prepared, feedback, return_attention=False):
        """What to decode from, and what each round of drafts found."""
        current, rounds = prepared, []
        if feedback is None or feedback.causal:
            return current, rounds
        for _ in range(feedback.rounds):
            step, initial = self._stepper(current, feedback)
            draft = self.draft_sampler(step, initial)["tokens"][:, 0]
            before = current
            current, found = feedback.refine(self.decoder, prepared, current, draft)
            found["draft_tokens"] = draft
            if return_attention:
                states = self.decoder.states(before, draft[:, None, :-1])
                found["draft_attention"] = states["attention_weights"][:, 0]
            rounds.append(found)
        return current, rounds

    def _refine_by_given_drafts(self, prepared, draft, training):
        if self.feedback is None or self.feedback.causal or not self.feedback.rounds:
            return prepared
        rounds = self.feedback.rounds
        if draft is None or draft.shape[1] != rounds:
            raise ValueError(
                f"{rounds} rounds of feedback need drafts [B, {rounds}, T], got "
                f"{None if draft is None else draft.shape}. Pass what `draft` returns."
            )
        left_alone = None
        if training and self.plain_rate:
            images = tf.shape(prepared["regions"])[0]
            chance = keras.random.uniform([images], seed=self.seed_generator)
            left_alone = chance < self.plain_rate
        current = prepared
        for i in range(rounds):
            current, _ = self.feedback.refine(
                self.decoder, prepared, current, draft[:, i], left_alone, training
            )
        return current

    def _states(self, current, feedback, tokens, training=False):
        if feedback is not None and feedback.causal and feedback.rounds:
            return feedback.states(self.decoder, current, tokens, training)
        return self.decoder.states(current, tokens, training=training)

    def _stepper(self, current, feedback):
        """The function of tokens and state that samplers call, and the state."""
        if feedback is None or not feedback.causal:

            def step(tokens, state):
                return self.decoder.step(tokens, state, current)[:2]

            return step, current["initial"]

        keys = feedback.project(current)

        def causal_step(tokens, state):
            hidden, state, _ = feedback.step_states(
                self.decoder, tokens, state, current, keys
            )
            return self.decoder.logits(hidden), state

        return causal_step, feedback.initial_state(current)

    @contextlib.contextmanager
    def _weights_cast_once(self):
        """Reads and casts the weights here and not at every word.

        Those that training uses in float32 are only read.
        """
        scope = keras.StatelessScope()
        for weight in self.weights:
            value = weight.value
            if keras_internals.is_autocast(weight):
                value = tf.cast(value, self.compute_dtype)
            scope.add_update((weight, value))
        with scope:
            yield

    def get_build_config(self):
        return {"regions_shape": self.regions_shape}

    def build_from_config(self, config):
        self.build(config["regions_shape"])

    def save_own_variables(self, store):
        store["region_mean"] = self.region_mean.numpy()
        store["region_deviation"] = self.region_deviation.numpy()
        store["vocabulary"] = np.frombuffer(
            bytes.fromhex(self.vocabulary.fingerprint()), np.uint8
        )

    def load_own_variables(self, store):
        fingerprint = np.asarray(store["vocabulary"]).tobytes().hex()
        self.vocabulary.check(fingerprint, "The file of weights")
        self.region_mean.assign(store["region_mean"])
        self.region_deviation.assign(store["region_deviation"])

    def get_config(self):
        parts = {
            "vocabulary": self.vocabulary,
            "decoder": self.decoder,
            "feedback": self.feedback,
            "sampler": self.sampler,
            "draft_sampler": self.draft_sampler,
        }
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            **{k: keras.saving.serialize_keras_object(v) for k, v in parts.items()},
            "plain_rate": self.plain_rate,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        parts = (
            "dtype",
            "vocabulary",
            "decoder",
            "feedback",
            "sampler",
            "draft_sampler",
        )
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in parts
            if name in config
        }
        return cls(**{**config, **parts})


def _crop(tokens, step=4):
    """Captions `[..., T]` up to the longest, whose length is rounded up to a step.

    Few lengths are few shapes to compile.
    """
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(tokens != PAD, tf.int32), axis=-1))
    return tokens[..., : -(-longest // step) * step]
