"""Tokens of captions, as coco-caption has them."""

from annotator.metrics.tokenizer import tokenize


def test_tokenize():
    assert tokenize("A dog, (brown) - isn't 'here' ! ") == (
        ["a", "dog", "brown", "is", "n't", "here"]
    )
    assert tokenize("Snow. Two dogs...") == ["snow", "two", "dogs"]
    assert tokenize('The "T-shirt" costs 3.50 .') == ["the", "t-shirt", "costs", "3.50"]
    assert (
        tokenize("A dog 's ball")
        == tokenize("a dog's ball")
        == (["a", "dog", "'s", "ball"])
    )
    assert tokenize(" . ") == []


def test_typographic_marks_are_as_plain_ones():
    """As Stanford's tokenizer makes of them, and coco-caption drops."""
    text = "a man in a “stop” shirt – the dog’s ball … a ‘big’ one"
    plain = "a man in a stop shirt the dog 's ball a big one"
    assert tokenize(text) == plain.split()
