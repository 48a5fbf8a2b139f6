"""From text to words, in Python and in the graph."""

import re
import string

import tensorflow as tf

# Dashes and dots part words, all other punctuation is left out of them.
_PARTING = "–—…"
_REMOVED = string.punctuation + "“”‘’"
_TABLE = str.maketrans(_PARTING, " " * len(_PARTING), _REMOVED)
# What `str.split` takes for white space; RE2's `\s` is that of ASCII alone.
_SPACES = rf"[{_PARTING}\p{{Z}}\t-\r\x1c-\x1f\x{{85}}]+"


def tokenize(caption: str) -> list[str]:
    """The words of a caption: lower case, punctuation removed, dashes made spaces.

    Args:
        caption: Any text.

    Returns:
        The words.
    """
    return caption.lower().translate(_TABLE).split()


def tokenize_in_graph(captions: tf.Tensor) -> tf.RaggedTensor:
    """`tokenize` as TensorFlow operations.

    Args:
        captions: UTF-8 strings `[N]`.

    Returns:
        Their words, strings `[N, (words)]`.
    """
    text = tf.strings.lower(captions, encoding="utf-8")
    text = tf.strings.regex_replace(text, f"[{re.escape(_REMOVED)}]", "")
    return tf.strings.split(tf.strings.regex_replace(text, _SPACES, " "))
