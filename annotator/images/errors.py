"""Texts of TensorFlow's errors, without the place in the graph."""

import re

import tensorflow as tf

# Where in the graph, and in which lines of Python, a node that failed was made.
_PLACES = re.compile(
    r"^Graph execution error:\s*"
    r"(Detected at node [^\n]* defined at \(most recent call last\):\n"
    r"(<stack traces unavailable>\n)?"
    r'(\s*File "[^"\n]*", line \d+, in [^\n]*\n)*\s*)+'
)
# What TensorFlow's decoders say of bytes that they cannot make an image of.
_DECODERS = re.compile(
    "Invalid (JPEG|PNG|GIF)|jpeg::Uncompress failed|Failed to decode WebP|"
    "Input size should match|Incomplete bmp"
)


def message(error: tf.errors.OpError | UnicodeDecodeError) -> str:
    """Reads the text of an error, in a line.

    Args:
        error: A `tf.errors.OpError`, or the `UnicodeDecodeError` that comes instead
            where the text quotes bytes that are no UTF-8.

    Returns:
        Of a failed assertion what it was given to say; of a decoder that the image is
        damaged, and its text; of all else the text.
    """
    if isinstance(error, UnicodeDecodeError):
        text = error.object.decode(errors="replace")
    else:
        text = str(error.message)
    text = _PLACES.sub("", text)
    # Where several nodes fail at a time: the first of them.
    text = re.sub(r"^\s*\d+ root error\(s\) found\.\s*\(0\) \w+: ", "", text)
    text = text.split("\n\t [[")[0].split("}} ")[-1].split(" [Op:")[0]
    _, assertion, data = text.rpartition("assertion failed: ")
    if assertion:  # of a graph: [part] [part]
        data = data.split("[[{{node")[0].strip()
        text = data.removeprefix("[").removesuffix("]").replace("] [", " ")
        text = re.sub(r"""\\(["'\\])""", r"\1", text)  # as TensorFlow quotes it
    _, assertion, data = text.partition("Summarized data: ")
    if assertion:  # op by op: a literal a line
        text = " ".join(map(_shown, data.splitlines()))
    text = " ".join(text.split())
    if _DECODERS.match(text):
        return f"A damaged image, copy or save it again: {text}"
    return text


def _shown(literal):
    """The text of a number or of `b'...'`, as Python would write it."""
    # Not `ast.literal_eval`: Python 3.11's fails at times where threads call it.
    if literal[:2] not in ("b'", 'b"'):
        return literal
    text = literal[2:-1].encode("latin-1").decode("unicode_escape")
    return text.encode("latin-1").decode("utf-8", "replace")
