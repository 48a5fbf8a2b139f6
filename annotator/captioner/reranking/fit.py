"""The fit of a re-ranker: one pass over training images, then closed forms."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from annotator.captioner.compiled import reference_tokens
from annotator.captioner.reranking.consensus import Consensus
from annotator.captioner.reranking.image_vector import image_vectors
from annotator.captioner.reranking.reranker import ConsensusReranker
from annotator.captioner.reranking.ridge import LowRankRidge
from annotator.captioner.vocabulary import Vocabulary

RANK = 128
_encode = tf.function(image_vectors, reduce_retracing=True, autograph=False)
MIN_IMAGES = 3


def fit_reranker(
    vocabulary: Vocabulary,
    data: tf.data.Dataset | Iterable,
    max_length: int = 20,
    rank: int = RANK,
    min_images: int = MIN_IMAGES,
    beam_weight: float = 0.03,
) -> ConsensusReranker:
    """Learns to re-rank the captions of a captioner.

    The data are read once, and of an image a vector and its references are kept. The
    strength of the ridge is chosen by leaving out each image in turn, in closed form.

    Example:

    ```python
    captioner = captioner.with_reranker(fit_reranker(words, train))
    captioner.predict(regions)["captions"]
    ```

    Args:
        vocabulary: That of the captioner.
        data: Batches `(regions, captions)` of training images, as `fit` takes them.
        max_length: Words that are kept of a reference that is text.
        rank: Of the linear map from vectors to n-grams.
        min_images: Images that must have an n-gram in a reference.
        beam_weight: As of `ConsensusReranker`.

    Returns:
        The re-ranker, for `Captioner.with_reranker`.

    Raises:
        ValueError: When there are no captions, or none with a word that is known.
    """
    vectors, references = [], []
    for regions, captions in data:
        tokens = reference_tokens(captions, vocabulary, max_length + 2).numpy()
        captioned = tokens.any(axis=(1, 2))
        vectors.append(_encode(tf.convert_to_tensor(regions)).numpy()[captioned])
        references.extend(tokens[captioned])
    if not references:
        raise ValueError("There are no captions to learn the re-ranking of.")
    most, longest = np.max([tokens.shape for tokens in references], axis=0)
    padded = np.zeros((len(references), most, longest), np.int32)
    for row, tokens in enumerate(references):
        captions, length = tokens.shape
        padded[row, :captions, :length] = tokens
    size = len(vocabulary)
    consensus = Consensus.of(padded, size, min_images)
    ridge = LowRankRidge.fit(np.concatenate(vectors), consensus.targets, rank)
    return ConsensusReranker.from_fit(size, consensus, ridge, beam_weight=beam_weight)
