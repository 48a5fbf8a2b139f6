"""The tokenizer of captions, which needs no Java."""

import re

import nltk

TOKENIZATION = "lower case, NLTK Treebank, without punctuation"

_TREEBANK = nltk.tokenize.TreebankWordTokenizer()
# The tokens that coco-caption drops, and the brackets, which it knows as -LRB- etc.
# The empty one is what is left of stops and marks.
_PUNCTUATION = frozenset(["", *"'' ' `` ` , : - -- ; ( ) [ ] { }".split()])
_ASCII = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": " -- ", "—": " -- ", "…": " ... "}
)


def tokenize(caption: str) -> list[str]:
    """Splits a caption into lower-cased words and numbers by the Penn Treebank's rules.

    Contractions are split (`do n't`) and punctuation is dropped, as by coco-caption's
    tokenizer, which needs Java: on Flickr8k's 5,000 dev captions, the two differ in
    four (brackets, which that one keeps as `-lrb-`; `d.c.`).

    Args:
        caption: Text.

    Returns:
        The tokens.
    """
    # NLTK splits off a full stop at the end of the text only, and no opening quote
    # (which an apostrophe on its own, as in "the dog 's ball", is not).
    caption = re.sub(r"([.!?]+)(\s|$)", r" \1 ", caption.lower().translate(_ASCII))
    caption = re.sub(r"(?<!\w)'(?!(?:s|m|d|t|ll|re|ve)\b)(?=\w)", "' ", caption)
    tokens = _TREEBANK.tokenize(caption)
    return [token for token in tokens if token.strip(".!?") not in _PUNCTUATION]
