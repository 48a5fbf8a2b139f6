"""What a captioner takes over from a trained one that knows other words."""

import numpy as np

from annotator.captioner.captioner import Captioner


def take_over(captioner: Captioner, trained: Captioner) -> list[str]:
    """Gives a captioner the weights of a trained one.

    Words that both know keep their vectors and their rows of the output; those that are
    new keep what they were initialized with. The standardization of regions is that of
    the trained one. Feedback is taken over where both have the same kind of it.

    Args:
        captioner: The captioner, built; it changes.
        trained: One with the same decoder, for regions of as many channels.

    Returns:
        The words that are new.

    Raises:
        ValueError: When the decoders differ in more than their words.
    """
    pairs = _pairs(captioner.decoder, trained.decoder, "decoder")
    if type(captioner.feedback) is type(trained.feedback) and captioner.feedback.built:
        pairs += _pairs(captioner.feedback, trained.feedback, "feedback")
    axes = _word_axes(captioner)
    theirs = {word: row for row, word in enumerate(trained.vocabulary.words)}
    mine = [row for row, w in enumerate(captioner.vocabulary.words) if w in theirs]
    known = [theirs[captioner.vocabulary.words[row]] for row in mine]
    values = []  # all of them are compared before the first is changed
    for own, other in pairs:
        axis = axes.get(id(own))
        if _shape(own, axis) != _shape(other, axis):
            raise ValueError(
                f"The captioner's {own.path} has the shape {tuple(own.shape)}, the "
                f"trained one's {tuple(other.shape)}: they are not alike."
            )
        value = other.numpy()
        if axis is not None:
            rows = np.moveaxis(value, axis, 0)[known]
            value = own.numpy().copy()
            np.moveaxis(value, axis, 0)[mine] = rows  # a view: it changes `value`
        values.append((own, value))
    for own, value in values:
        own.assign(value)
    captioner.standardize(trained.region_mean.numpy(), trained.region_deviation.numpy())
    return [word for word in captioner.vocabulary.words if word not in theirs]


def _pairs(own, other, what):
    mine, theirs = getattr(own, "weights", []), getattr(other, "weights", [])
    if type(own) is not type(other) or len(mine) != len(theirs):
        raise ValueError(
            f"The captioner's {what} is a {type(own).__name__} of {len(mine)} "
            f"weights, the trained one's a {type(other).__name__} of {len(theirs)}."
        )
    return list(zip(mine, theirs, strict=True))


def _shape(weight, axis):
    """The shape of a weight, without the axis of words."""
    return tuple(side for i, side in enumerate(weight.shape) if i != axis)


def _word_axes(captioner):
    """Id of each weight with a row or column a word: which axis that is."""
    decoder = captioner.decoder
    axes = {id(decoder.embedding.weights[0]): 0}
    if decoder.output_projection is None:
        return axes | {id(decoder.output_bias): 0}
    kernel, bias = decoder.output_projection.weights
    return axes | {id(kernel): 1, id(bias): 0}
