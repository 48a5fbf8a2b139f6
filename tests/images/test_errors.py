"""One line for the same failure, wherever TensorFlow met it."""

import types

import pytest
import tensorflow as tf

from annotator.images import errors


def check(value):
    tf.debugging.Assert(value < 3, ["Only below 3, got", value, "(of 2)."])
    return value


@pytest.mark.parametrize("traced", [False, True])
def test_an_assertion_says_what_it_was_told_to_say(traced):
    function = tf.function(check, autograph=False) if traced else check
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        function(tf.constant(7))
    assert errors.message(caught.value) == "Only below 3, got 7 (of 2)."


def test_any_bytes_can_be_quoted():
    quoted = [b"it's", b'say "it\'s"', b"a\\n\n", "gr\u00fcn".encode(), b"\xff"]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.debugging.Assert(False, quoted)
    wanted = "it's say \"it's\" a\\n gr\u00fcn \ufffd"
    assert errors.message(caught.value) == wanted


def test_what_decoders_say_names_the_damage():
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.io.decode_png(b"\x89PNG\r\n\x1a\n no more")
    message = errors.message(caught.value)
    assert message.startswith("A damaged image, copy or save it again: Invalid PNG")
    assert "\n" not in message and "[Op:" not in message


def test_other_errors_say_what_they_say():
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.io.decode_png(b"\x89PNG no more")
    message = errors.message(caught.value)
    assert message.startswith("Unknown image file format") and "[Op:" not in message


def test_text_that_is_no_utf8():
    error = UnicodeDecodeError("utf-8", b"{{node d}} Not an image: \xff", 25, 26, "")
    assert errors.message(error) == "Not an image: \ufffd"


def test_a_remote_graph():
    text = (
        "Graph execution error:\n\nDetected at node d defined at (most recent call "
        "last):\n<stack traces unavailable>\nassertion failed: [Not [a]:] [4000]\n"
        "\t [[{{node Assert}}]] [Op:__inference_pruned_7]"
    )
    error = types.SimpleNamespace(message=text)
    assert errors.message(error) == "Not [a]: 4000"
