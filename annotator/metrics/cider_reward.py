"""CIDEr-D of token ids against a fixed corpus: what self-critical training rewards."""

import collections
from collections.abc import Sequence

import numpy as np

_ORDERS = 4
_SIGMA = 6.0  # of the Gaussian penalty on differences in length


class CiderReward:
    """CIDEr-D with the document frequencies of the training captions.

    coco-caption counts document frequencies among the references it is given, so it
    cannot score a batch as part of a corpus; on the whole corpus both agree.

    Tokens are counted as they are. With an end token behind every caption, captions
    that break off ("a man with a") lose, which words alone would not notice.

    Args:
        references: `[N, C, T]` integers, the captions of N images, padded with 0;
            captions that are only padding do not exist.

    Reference:
        - Vedantam et al., "CIDEr: consensus-based image description evaluation", CVPR
          2015, in coco-caption's variant D.
    """

    def __init__(self, references: Sequence[np.ndarray] | np.ndarray) -> None:
        frequency: collections.Counter[tuple[int, ...]] = collections.Counter()
        for group in references:
            frequency.update({gram for ids in _captions(group) for gram in _grams(ids)})
        images = np.log(len(references))
        self._unseen = images
        # Inverse document frequencies; of n-grams no image has, as if one had.
        self._weights = {
            gram: images - np.log(count) for gram, count in frequency.items()
        }

    def __call__(
        self, references: Sequence[np.ndarray] | np.ndarray, hypotheses: np.ndarray
    ) -> np.ndarray:
        """Computes the rewards of n captions an image.

        Args:
            references: `[B, C, T]` integers, as for the class.
            hypotheses: `[B, n, T']` integers, padded with 0.

        Returns:
            float32 `[B, n]`, from 0 to 10.
        """
        rewards = np.zeros(hypotheses.shape[:2], np.float32)
        for i, (group, captions) in enumerate(zip(references, hypotheses, strict=True)):
            group = [self._vector(ids) for ids in _captions(group)]
            for j, ids in enumerate(captions):
                vector = self._vector(ids[ids != 0].tolist())
                similarities = [_similarity(vector, other) for other in group]
                rewards[i, j] = 10 * np.mean(similarities) if group else 0.0
        return rewards

    def _vector(self, ids):
        """The weighted n-grams, their norm for each n, and the length in bigrams."""
        vector = {
            gram: count * self._weights.get(gram, self._unseen)
            for gram, count in _grams(ids).items()
        }
        squares = [0.0] * _ORDERS
        for gram, weight in vector.items():
            squares[len(gram) - 1] += weight * weight
        return vector, np.sqrt(squares), max(len(ids) - 1, 0)


def _captions(group):
    """Lists of the ids of an image's captions `[C, T]`."""
    return [ids[ids != 0].tolist() for ids in group if np.any(ids != 0)]


def _grams(ids):
    return collections.Counter(
        tuple(ids[i : i + n])
        for n in range(1, _ORDERS + 1)
        for i in range(len(ids) - n + 1)
    )


def _similarity(hypothesis, reference):
    """The mean over n of the clipped cosines, lowered for a difference in length."""
    (vector, norms, length), (other, other_norms, other_length) = hypothesis, reference
    products = [0.0] * _ORDERS
    for gram, weight in vector.items():
        theirs = other.get(gram)
        if theirs is not None:
            products[len(gram) - 1] += min(weight, theirs) * theirs
    scale = norms * other_norms
    cosines = np.divide(products, scale, out=np.zeros(_ORDERS), where=scale > 0)
    return cosines.mean() * np.exp(-((length - other_length) ** 2) / (2 * _SIGMA**2))
