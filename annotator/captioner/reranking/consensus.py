"""The consensus of references: the mean of their TF-IDF vectors, an image a row."""

import dataclasses

import numpy as np
import scipy.sparse

from annotator.captioner.reranking.ngrams import (
    NO_CODE,
    ORDERS,
    code_base,
    has_unknown_word,
    ngram_codes,
    order_of,
)

_CAPTIONS_AT_ONCE = 4096
# Large data sets have millions of n-grams; these are the most frequent.
_MOST_NGRAMS = 40_000


@dataclasses.dataclass(frozen=True)
class Consensus:
    """What the references of training images have in common with any caption.

    The vectors are CIDEr's: of every n, words that follow each other count as often as
    they come, times the logarithm of the images over those with a reference that has
    them, and are then divided by their norm. The dot product with the vector of
    another caption is thus the mean cosine with all references and over n = 1 to 4:
    CIDEr-D but for its clipping and its penalty on lengths.

    Attributes:
        codes: int64 `[G + 1]`, ascending: the n-grams that enough images have, the most
            frequent 40,000 if they are more, as of `ngram_codes`, and `NO_CODE`.
        weights: float32 `[G + 1]`, their inverse document frequencies; the last is that
            of all other n-grams.
        targets: float32 `[N, G]`, sparse.

    Reference:
        Vedantam et al., CIDEr: consensus-based image description evaluation, CVPR 2015.
    """

    codes: np.ndarray
    weights: np.ndarray
    targets: scipy.sparse.csr_matrix

    @classmethod
    def of(
        cls, tokens: np.ndarray, vocabulary_size: int, min_images: int = 3
    ) -> "Consensus":
        """Counts the n-grams of references.

        Args:
            tokens: Integers `[N, C, T]`, C references for each of N images as the
                vocabulary encodes them; those that are only padding do not exist.
            vocabulary_size: V.
            min_images: Images that must have an n-gram in a reference; fewer where no
                n-gram comes with so many.

        Returns:
            The consensus.

        Raises:
            ValueError: When there is no reference with a known word.
        """
        base = code_base(vocabulary_size)
        images, captions, length = tokens.shape
        flat = tokens.reshape(images * captions, length)
        blocks = [
            np.asarray(ngram_codes(flat[i : i + _CAPTIONS_AT_ONCE], base))
            for i in range(0, len(flat), _CAPTIONS_AT_ONCE)
        ]
        codes = np.concatenate(blocks).reshape(len(flat), -1)
        caption, place = np.nonzero(codes)
        # Columns are the n-grams of all references, also those that are not kept.
        known, column = np.unique(codes[caption, place], return_inverse=True)
        shape = (len(flat), len(known))
        ones = np.ones(len(caption))
        counts = scipy.sparse.csr_matrix((ones, (caption, column)), shape)
        counts.sum_duplicates()
        row = np.repeat(np.arange(len(flat)), np.diff(counts.indptr))
        pairs = np.unique(row // captions * len(known) + counts.indices)
        frequency = np.bincount(pairs % len(known), minlength=len(known))
        weights = np.log(images) - np.log(frequency)
        norm_of = row * ORDERS + order_of(known, base)[counts.indices] - 1
        vectors = counts.data * weights[counts.indices]
        norms = np.sqrt(np.bincount(norm_of, vectors**2, len(flat) * ORDERS))
        norms = np.where(norms > 0, norms, 1.0)  # all images have all of its n-grams
        counts.data = vectors / norms[norm_of] / ORDERS
        can_be_written = ~has_unknown_word(known, base)
        if not can_be_written.any():
            raise ValueError("No reference has a word that the vocabulary knows.")
        usable = np.where(can_be_written, frequency, 0)
        kept = usable >= min(min_images, usable.max())
        if kept.sum() > _MOST_NGRAMS:
            most = np.argsort(-usable, kind="stable")[:_MOST_NGRAMS]
            kept = np.isin(np.arange(len(usable)), most)
        exists = (tokens != 0).any(axis=2)
        share = exists / np.maximum(exists.sum(axis=1, keepdims=True), 1)
        mean = scipy.sparse.csr_matrix(
            (share.ravel(), np.arange(share.size), np.arange(images + 1) * captions)
        )
        targets = (mean @ counts)[:, kept]
        targets.eliminate_zeros()
        return cls(
            codes=np.append(known[kept], NO_CODE),
            weights=np.float32(np.append(weights[kept], np.log(images))),
            targets=targets.astype(np.float32),
        )
