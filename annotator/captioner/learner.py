"""The part of a captioner that learns: from references, and from rewards."""

import dataclasses
import typing
from collections.abc import Callable

import keras
import tensorflow as tf

from annotator.captioner.cast_once import weights_cast_once
from annotator.captioner.decoders.decoder import Decoder, Mask, Prepared
from annotator.captioner.decoders.rows import repeat_rows
from annotator.captioner.feedback.feedback import Feedback
from annotator.captioner.feedback.none import NoFeedback
from annotator.captioner.losses import caption_losses, crop, self_critical_losses
from annotator.captioner.samplers.random import RandomSampler
from annotator.captioner.samplers.sampler import Sampler
from annotator.captioner.samplers.truncation import Truncation
from annotator.captioner.standardized import StandardizedModel
from annotator.captioner.vocabulary import PAD

Tensors: typing.TypeAlias = dict[str, tf.Tensor]


class CaptionLearner(StandardizedModel):
    """Base class of the captioner: a decoder and feedback, and their losses.

    The subclass sets what is listed here.

    Attributes:
        decoder: The decoder.
        feedback: How it is steered by text.
        sampler: How captions are decoded.
        draft_sampler: How the drafts for the feedback are decoded.
        plain_rate: Share of the training images that skip the drafts.
        seed_generator: It chooses these images.
    """

    decoder: Decoder
    feedback: Feedback
    sampler: Sampler
    draft_sampler: Sampler
    plain_rate: float
    seed_generator: keras.random.SeedGenerator

    def prepare(self, regions: tf.Tensor, region_mask: Mask = None) -> Prepared:
        """What the decoder makes of the standardized regions.

        Args:
            regions: `[B, R, D]`.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            The dict of `Decoder.prepare`.
        """
        return self.decoder.prepare(self.standardized(regions), region_mask)

    def caption_loss(
        self,
        regions: tf.Tensor,
        tokens: tf.Tensor,
        draft: tf.Tensor | None = None,
        region_mask: Mask = None,
        with_feedback: bool = True,
        label_smoothing: float = 0.0,
        attention_regularizer: float = 0.0,
        training: bool = True,
        teacher: "CaptionLearner | None" = None,
        distillation: float = 0.0,
    ) -> Tensors:
        """The cross entropy of reference captions, as sums.

        Sums and counts, unlike means, can be added over replicas and batches:
        divide the sum of all `loss` by the sum of all `tokens`.

        Args:
            regions: `[B, R, D]`.
            tokens: int32 `[B, C, T]`, C captions for each image as the vocabulary
                encodes them. Captions that are only padding count nothing.
            draft: int32 `[B, rounds, T']` from `draft`, required for feedback from
                drafts.
            region_mask: bool `[B, R]`, false for padding; by default there is none.
            with_feedback: False for epochs that train the decoder alone, before the
                feedback joins; its weights then get no gradient.
            label_smoothing: Share of the probability spread over all words.
            attention_regularizer: Factor of the squared differences between the
                attention a region gets over a whole caption and the mean of all
                regions ("doubly stochastic attention" of Show, Attend and Tell).
            training: Whether dropout, sampling and plain images are on.
            teacher: Another captioner with the same words, for the same regions. The
                loss is then `1 - distillation` of the cross entropy with its smoothing,
                and `distillation` of the Kullback-Leibler divergence of this one's word
                probabilities from the teacher's, which reads the references without
                dropout.
            distillation: See `teacher`.

        Returns:
            A dict of float32 scalars: `loss`, what to minimize; `cross_entropy`,
            the part that is the negative log probability of the references;
            `tokens`, the number of words and `<end>`s.

        Raises:
            ValueError: When feedback needs drafts and there are none.
        """
        feedback = self.feedback if with_feedback else NoFeedback()
        prepared = self.prepare(regions, region_mask)
        left_alone = None
        if training and self.plain_rate and feedback.reads_drafts:
            chance = keras.random.uniform(
                [tf.shape(prepared["regions"])[0]], seed=self.seed_generator
            )
            left_alone = chance < self.plain_rate
        current = feedback.refine_by_given_drafts(
            self.decoder, prepared, draft, left_alone, training
        )
        teacher_logits = None
        if teacher is not None:
            teacher_logits = teacher.reference_logits(regions, tokens, region_mask)
        return caption_losses(
            self.decoder,
            feedback.states(self.decoder, current, tokens[..., :-1], training),
            tokens[..., 1:],
            region_mask,
            label_smoothing,
            attention_regularizer,
            training,
            teacher_logits,
            distillation,
        )

    def reference_logits(
        self, regions: tf.Tensor, tokens: tf.Tensor, region_mask: Mask = None
    ) -> tf.Tensor:
        """The logits of the words of references, with feedback and without dropout.

        Args:
            regions: `[B, R, D]`.
            tokens: int32 `[B, C, T]`, as of `caption_loss`.
            region_mask: bool `[B, R]`, false for padding; by default there is none.

        Returns:
            float32 `[N, V]`, for the N words and `<end>`s that are no padding, in the
            order of `tokens`.
        """
        current, _ = self.feedback.refine_by_own_drafts(
            self.decoder, self.prepare(regions, region_mask), self.draft_sampler
        )
        states = self.feedback.states(self.decoder, current, tokens[..., :-1])
        real = tokens[..., 1:] != PAD
        return self.decoder.logits(tf.boolean_mask(states["hidden"], real))

    def self_critical_loss(
        self,
        regions: tf.Tensor,
        reward: Callable[[tf.Tensor], tf.Tensor],
        seed: tf.Tensor | int,
        samples: int = 5,
        region_mask: Mask = None,
        truncation: Truncation | None = None,
        dropout: bool = False,
    ) -> Tensors:
        """The loss of captions the model draws itself, as sums; see `caption_loss`.

        Captions that are rewarded more than the others of the same image become more
        probable, those that are rewarded less become less so: the policy gradient of
        the expected reward. Feedback is on for all images and reads drafts that are
        decoded here. Captions are drawn without dropout, from the very distribution
        that learns: the whole one, or a truncated one, whose gradient it then is.

        Args:
            regions: `[B, R, D]`.
            reward: A function of int32 tokens `[B, samples, L + 2]` (with `<start>`,
                `<end>` and padding) that returns float32 `[B, samples]`.
            seed: int32 scalar; the same seed draws the same captions.
            samples: Captions drawn for each image, at least 2.
            region_mask: bool `[B, R]`, false for padding; by default there is none.
            truncation: What captions are drawn from, of the words' distribution; all of
                it by default.
            dropout: Whether dropout is on where the captions learn. What learns is then
                not quite what they were drawn from, and the gradient an approximation.

        Returns:
            A dict of float32 scalars: `loss`, what to minimize; `tokens`, the number
            of words and `<end>`s drawn; `reward` and `captions`, the sum of the
            rewards and the number of captions.

        Raises:
            ValueError: When there is one caption an image, with none to compare it to.

        References: Rennie et al., Self-critical sequence training for image
        captioning (CVPR 2017); the mean of the other captions as the baseline is that
        of Luo, A better variant of self-critical sequence training (2020).
        """
        if samples < 2:
            raise ValueError(
                f"samples={samples}: captions of an image are compared with each "
                "other. Draw 2 or more."
            )
        prepared = self.prepare(regions, region_mask)
        truncation = truncation or Truncation()
        sampler = RandomSampler(
            **dataclasses.asdict(truncation),
            seed=seed,
            max_length=self.sampler.max_length,
        )
        with weights_cast_once(self):
            current, drafts = self.feedback.refine_by_own_drafts(
                self.decoder, prepared, self.draft_sampler
            )
            step, initial = self.feedback.stepper(self.decoder, current)
            tokens = sampler(step, repeat_rows(initial, samples))["tokens"]
        tokens = tf.reshape(tokens, [tf.shape(regions)[0], samples, -1])
        current = self.feedback.refine_by_given_drafts(
            self.decoder, prepared, drafts.get("draft_tokens"), training=dropout
        )
        # The last place is never drawn: an <end> there only closes the caption.
        drawn = crop(tokens[..., :-1])
        states = self.feedback.states(self.decoder, current, drawn[..., :-1], dropout)
        return self_critical_losses(
            self.decoder, states, drawn[..., 1:], reward(tokens), truncation, dropout
        )
