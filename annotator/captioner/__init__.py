"""Captions from image regions: vocabulary, decoders, feedback and samplers."""

from annotator.captioner.caption_details import CaptionDetails
from annotator.captioner.captioner import Captioner
from annotator.captioner.decoders.additive_attention import AdditiveAttention
from annotator.captioner.decoders.brnn import BrnnDecoder
from annotator.captioner.decoders.decoder import Decoder
from annotator.captioner.decoders.embedding_decoder import EmbeddingDecoder
from annotator.captioner.decoders.ensemble import EnsembleDecoder, ensemble
from annotator.captioner.decoders.hard import HardDecoder
from annotator.captioner.decoders.log_bilinear import LogBilinearDecoder
from annotator.captioner.decoders.lstm import LSTM
from annotator.captioner.decoders.nic import NicDecoder
from annotator.captioner.decoders.registry import build_decoder, decoder_names
from annotator.captioner.decoders.soft import SoftDecoder
from annotator.captioner.decoders.stacked import StackedDecoder
from annotator.captioner.feedback.causal import CausalTextFeedback
from annotator.captioner.feedback.draft import TextFeedback
from annotator.captioner.feedback.feedback import Feedback
from annotator.captioner.feedback.none import NoFeedback
from annotator.captioner.reranking.fit import fit_reranker
from annotator.captioner.reranking.reranker import ConsensusReranker
from annotator.captioner.samplers.beam_search import BeamSearch
from annotator.captioner.samplers.greedy import GreedySampler
from annotator.captioner.samplers.random import RandomSampler
from annotator.captioner.samplers.sampler import Sampler
from annotator.captioner.samplers.truncation import Truncation
from annotator.captioner.vocabulary import Vocabulary
from annotator.captioner.word_probability import WordProbability, fit_word_probability

__all__ = [
    "AdditiveAttention",
    "BeamSearch",
    "BrnnDecoder",
    "CaptionDetails",
    "Captioner",
    "CausalTextFeedback",
    "ConsensusReranker",
    "Decoder",
    "EmbeddingDecoder",
    "EnsembleDecoder",
    "Feedback",
    "GreedySampler",
    "HardDecoder",
    "LSTM",
    "LogBilinearDecoder",
    "NicDecoder",
    "NoFeedback",
    "RandomSampler",
    "Sampler",
    "SoftDecoder",
    "StackedDecoder",
    "TextFeedback",
    "Truncation",
    "Vocabulary",
    "WordProbability",
    "build_decoder",
    "decoder_names",
    "ensemble",
    "fit_reranker",
    "fit_word_probability",
]
