"""The captioner: regions in, text out."""

import typing

import keras
import numpy as np
import tensorflow as tf

from annotator.captioner.cast_once import weights_cast_once
from annotator.captioner.compiled import CompiledLearner
from annotator.captioner.decoders.decoder import Decoder, Mask
from annotator.captioner.feedback.feedback import Feedback
from annotator.captioner.feedback.none import NoFeedback
from annotator.captioner.learner import Tensors
from annotator.captioner.reranking.reranker import ConsensusReranker
from annotator.captioner.samplers.beam_search import BeamSearch
from annotator.captioner.samplers.greedy import GreedySampler
from annotator.captioner.samplers.sampler import Sampler
from annotator.captioner.vocabulary import Vocabulary
from annotator.captioner.word_probability import WordProbability, mean_log_probs
from annotator.keras_support import internals

_PARTS = (
    "dtype",
    "vocabulary",
    "decoder",
    "feedback",
    "sampler",
    "draft_sampler",
    "reranker",
    "word_probability",
)


@keras.saving.register_keras_serializable(package="annotator")
class Captioner(CompiledLearner):
    """A vocabulary, a decoder and text feedback, trained and used as one.

    `annotator.train` trains it, and so do Keras's `compile` and `fit`, for which
    `CompiledLearner` says what data look like.

    Args:
        vocabulary: The words.
        decoder: A decoder for that many words.
        feedback: How the decoder is steered by text; `NoFeedback()` by default.
        sampler: How captions are decoded; `BeamSearch()` by default.
        draft_sampler: How the drafts for the feedback are decoded; by default a
            `GreedySampler` with the limits of `sampler`.
        plain_rate: Share of the training images that skip the drafts. These are
            decoded without feedback, so the decoder must keep that skill.
        seed: Of the choice of these images.
        region_power: Power of the values of regions, before they are standardized.
        reranker: What ranks the captions that the sampler finds, if it finds several;
            see `with_reranker`. By default they keep the sampler's order.
        word_probability: What makes probabilities of the log probabilities of captions,
            see `calibrate`. By default nothing does.
        **kwargs: Of `keras.Model`.

    Call arguments:
        regions: `[B, R, D]`.
        region_mask: bool `[B, R]`, false for padding; by default there is none.

    Output shape:
        The dict of `generate(regions)`, so `predict` writes captions.

    Raises:
        ValueError: When the parts do not go together.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        decoder: Decoder,
        feedback: Feedback | None = None,
        sampler: Sampler | None = None,
        draft_sampler: Sampler | None = None,
        plain_rate: float = 0.5,
        seed: int = 0,
        region_power: float = 1.0,
        reranker: ConsensusReranker | None = None,
        word_probability: WordProbability | None = None,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(region_power=region_power, **kwargs)
        if decoder.vocabulary_size != len(vocabulary):
            raise ValueError(
                f"The decoder has {decoder.vocabulary_size} words, the vocabulary "
                f"{len(vocabulary)}. Build it with len(vocabulary)."
            )
        self.vocabulary = vocabulary
        self.decoder = decoder
        self.feedback = feedback or NoFeedback()
        self.feedback.check(decoder)
        self.decode_by(sampler or BeamSearch(), draft_sampler)
        self.plain_rate = plain_rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        if reranker is not None and reranker.vocabulary_size != len(vocabulary):
            raise ValueError(
                f"The re-ranker knows {reranker.vocabulary_size} words, the vocabulary "
                f"{len(vocabulary)}. Fit it for this captioner."
            )
        self.reranker = reranker
        self.calibrate(word_probability)

    def build(self, regions_shape: tuple) -> None:
        self.build_standardization(regions_shape)
        # Parts that come from a file are built already.
        if not self.decoder.built:
            self.decoder.build(regions_shape)
        if not self.feedback.built:
            self.feedback.build((None, None, self.decoder.units), regions_shape)
        if self.reranker is not None and not self.reranker.built:
            self.reranker.build(regions_shape)
        self.built = True

    def decode_by(self, sampler: Sampler, draft_sampler: Sampler | None = None) -> None:
        """Sets how captions are decoded; what was calibrated for other ones is dropped.

        Args:
            sampler: See the class.
            draft_sampler: See the class.
        """
        self.sampler = sampler
        self.draft_sampler = draft_sampler or GreedySampler(
            sampler.max_length, sampler.no_repeat_ngram
        )
        self.calibrate(None)

    def calibrate(self, word_probability: WordProbability | None) -> None:
        """Sets what makes probabilities of the log probabilities of captions.

        Args:
            word_probability: From `fit_word_probability`, fitted to captions that this
                captioner writes by its own sampler; `None` where nothing tells them.
        """
        self.word_probability = word_probability

    def with_reranker(self, reranker: ConsensusReranker | None) -> "Captioner":
        """A captioner of the same parts, and weights, whose captions are re-ranked.

        Args:
            reranker: From `fit_reranker`; `None` for one that does not re-rank.

        Returns:
            A captioner that shares the decoder and the feedback with this one. It is
            neither compiled nor calibrated.
        """
        captioner = Captioner(
            self.vocabulary,
            self.decoder,
            self.feedback,
            self.sampler,
            self.draft_sampler,
            self.plain_rate,
            self.seed,
            self.region_power,
            reranker,
            name=self.name,
            dtype=self.dtype_policy,
        )
        captioner.build(self.regions_shape)
        captioner.standardize(self.region_mean.numpy(), self.region_deviation.numpy())
        return captioner

    def call(self, regions: tf.Tensor, region_mask: Mask = None) -> Tensors:
        return self.generate(regions, region_mask=region_mask)

    def compute_output_spec(
        self,
        regions: keras.KerasTensor,
        region_mask: keras.KerasTensor | None = None,
        training: bool | None = None,
    ) -> dict[str, keras.KerasTensor]:
        """What Keras would trace a whole search for to find out: shapes and dtypes."""
        images, n = regions.shape[0], self.sampler.results
        length = self.sampler.max_length + 2
        shapes = {
            "captions": ((), "string"),
            "tokens": ((length,), "int32"),
            "scores": ((), "float32"),
            "log_probs": ((), "float32"),
            "n_best_captions": ((n,), "string"),
            "n_best_tokens": ((n, length), "int32"),
            "n_best_scores": ((n,), "float32"),
        }
        if self.word_probability is not None:
            shapes["word_probabilities"] = ((), "float32")
            shapes["n_best_word_probabilities"] = ((n,), "float32")
        return {
            name: keras.KerasTensor((images, *shape), dtype)
            for name, (shape, dtype) in shapes.items()
        }

    def generate(
        self,
        regions: tf.Tensor,
        sampler: Sampler | None = None,
        region_mask: Mask = None,
        return_attention: bool = False,
        with_feedback: bool = True,
        rerank: bool = True,
    ) -> Tensors:
        """Captions of a batch of images.

        Args:
            regions: `[B, R, D]`.
            sampler: How captions are decoded, the captioner's own by default.
            region_mask: bool `[B, R]`, false for padding; by default there is none.
            return_attention: Whether to tell where the captioner looked, too.
            with_feedback: False for what the decoder writes alone, as it does before
                the feedback has joined its training.
            rerank: False for the sampler's own order, where there is a re-ranker.

        Returns:
            A dict, where L is the sampler's `max_length`, n its number of results:
            `captions` string `[B]`, `tokens` int32 `[B, L + 2]`, `scores` and
            `log_probs` float32 `[B]`; `n_best_captions` `[B, n]`, `n_best_tokens`
            `[B, n, L + 2]`, `n_best_scores` `[B, n]`, best first. Scores are those of
            the sampler, also where the order is that of the re-ranker. A calibrated
            captioner adds `word_probabilities` float32 `[B]` and
            `n_best_word_probabilities` `[B, n]`, see `WordProbability`, unless it
            decodes otherwise than it was calibrated for. With `return_attention` also
            what `CaptionDetails` lists.
        """
        sampler = sampler or self.sampler
        feedback = self.feedback if with_feedback else NoFeedback()
        with weights_cast_once(self):
            current, drafts = feedback.refine_by_own_drafts(
                self.decoder,
                self.prepare(regions, region_mask),
                self.draft_sampler,
                return_attention,
            )
            step, initial = feedback.stepper(self.decoder, current)
            everything = sampler.with_all_results()
            if self.reranker is None or not rerank or everything.results == 1:
                best = sampler(step, initial)
            else:
                found = everything(step, initial)
                order = self.reranker.order(regions, found, region_mask)
                order = order[:, : sampler.results]
                best = {
                    name: tf.gather(value, order, axis=1, batch_dims=1)
                    for name, value in found.items()
                }
            results = {
                "captions": self.vocabulary.decode_in_graph(best["tokens"][:, 0]),
                "tokens": best["tokens"][:, 0],
                "scores": best["scores"][:, 0],
                "log_probs": best["log_probs"][:, 0],
                "n_best_captions": self.vocabulary.decode_in_graph(best["tokens"]),
                "n_best_tokens": best["tokens"],
                "n_best_scores": best["scores"],
            }
            as_calibrated = with_feedback and rerank
            as_calibrated &= type(sampler) is type(self.sampler)
            if self.word_probability is not None and as_calibrated:
                probabilities = self.word_probability(
                    mean_log_probs(best["tokens"], best["log_probs"])
                )
                results["word_probabilities"] = probabilities[:, 0]
                results["n_best_word_probabilities"] = probabilities
            if not return_attention:
                return results
            read = best["tokens"][:, :1, :-1]
            states = feedback.states(self.decoder, current, read)
        results["attention"] = states["attention_weights"][:, 0]
        for name in ("plain_attention", "word_weights", "region_weights"):
            if name in states:
                results[name] = states[name][:, 0]
        if drafts:
            results |= drafts
            results["drafts"] = self.vocabulary.decode_in_graph(drafts["draft_tokens"])
        return results

    def draft(self, regions: tf.Tensor, region_mask: Mask = None) -> tf.Tensor:
        """The model's own captions that `caption_loss` needs for feedback.

        Args:
            regions: `[B, R, D]`.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            int32 `[B, rounds, L + 2]`; zero rounds without feedback from drafts.
        """
        with weights_cast_once(self):
            _, drafts = self.feedback.refine_by_own_drafts(
                self.decoder, self.prepare(regions, region_mask), self.draft_sampler
            )
        none = tf.zeros([tf.shape(regions)[0], 0, 2], tf.int32)
        return drafts.get("draft_tokens", none)

    def set_jit_compile(self, enabled: bool) -> None:
        """Sets whether XLA compiles the attention of graphs traced from now on.

        Compiled, it is several times faster; some servers cannot run a graph that
        asks for XLA.

        Args:
            enabled: Whether it does.
        """
        for part in self.layers:
            for layer in internals.flattened_layers(part):
                # Of a model within, it is how Keras would train it.
                if hasattr(layer, "jit_compile") and not isinstance(layer, keras.Model):
                    layer.jit_compile = enabled

    def save_own_variables(self, store: dict) -> None:
        super().save_own_variables(store)
        fingerprint = bytes.fromhex(self.vocabulary.fingerprint())
        store["vocabulary"] = np.frombuffer(fingerprint, np.uint8)

    def load_own_variables(self, store: dict) -> None:
        fingerprint = np.asarray(store["vocabulary"]).tobytes().hex()
        self.vocabulary.check(fingerprint, "The file of weights")
        super().load_own_variables(store)

    def get_config(self) -> dict:
        parts = {
            "dtype": self.dtype_policy,
            "vocabulary": self.vocabulary,
            "decoder": self.decoder,
            "feedback": self.feedback,
            "sampler": self.sampler,
            "draft_sampler": self.draft_sampler,
            "reranker": self.reranker,
            "word_probability": self.word_probability,
        }
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            **{name: serialize(part) for name, part in parts.items()},
            "plain_rate": self.plain_rate,
            "seed": self.seed,
            "region_power": self.region_power,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Captioner":
        parts = {
            name: keras.saving.deserialize_keras_object(value)
            for name, value in config.items()
            if name in _PARTS
        }
        return cls(**{**config, **parts})
