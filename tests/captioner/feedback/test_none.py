import keras
import numpy as np
import pytest
import tensorflow as tf

from annotator.captioner import Captioner, SoftDecoder, Vocabulary
from annotator.captioner.decoders.nic import NicDecoder
from annotator.captioner.feedback.causal import CausalTextFeedback
from annotator.captioner.feedback.draft import TextFeedback
from annotator.captioner.feedback.none import NoFeedback
from annotator.captioner.samplers.greedy import GreedySampler

B, R, D, V, H = 2, 4, 6, 11, 8


def build_decoder():
    keras.utils.set_random_seed(7)
    decoder = SoftDecoder(V, units=H, attention_units=7, jit_compile=False)
    decoder.build((None, None, D))
    return decoder


def some_regions():
    rng = np.random.default_rng(8)
    return tf.constant(rng.uniform(size=[B, R, D]), tf.float32)


def build_captioner(feedback):
    vocabulary = Vocabulary(list("abcdefg"))
    captioner = Captioner(vocabulary, build_decoder(), feedback)
    captioner.build((None, None, D))
    return captioner


def test_it_leaves_all_to_the_decoder():
    decoder, feedback = build_decoder(), NoFeedback()
    prepared = decoder.prepare(some_regions())
    current, drafts = feedback.refine_by_own_drafts(
        decoder, prepared, GreedySampler(5), return_attention=True
    )
    assert current is prepared and drafts == {}
    assert feedback.refine_by_given_drafts(decoder, prepared, None) is prepared
    tokens = tf.constant([[[1, 5, 6]], [[1, 7, 8]]])
    states = feedback.states(decoder, prepared, tokens)
    expected = decoder.states(prepared, tokens)
    assert set(states) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(states[name], value)
    step, state = feedback.stepper(decoder, prepared)
    logits, _ = step(tokens[:, 0, 0], state)
    np.testing.assert_allclose(
        logits, decoder.logits(states["hidden"][:, 0, 0]), atol=1e-6
    )


def test_none_means_no_feedback_in_old_files_as_well():
    captioner = build_captioner(None)
    assert isinstance(captioner.feedback, NoFeedback)
    config = {**captioner.get_config(), "feedback": None}
    assert isinstance(Captioner.from_config(config).feedback, NoFeedback)
    again = Captioner.from_config(captioner.get_config())
    assert isinstance(again.feedback, NoFeedback)


def test_it_adds_no_weights_and_no_layer():
    captioner = build_captioner(NoFeedback())
    names = [weight.path.split("/", 1)[1] for weight in captioner.weights]
    of_decoder = [weight.path.split("/", 1)[1] for weight in captioner.decoder.weights]
    assert names[:2] == ["region_mean", "region_deviation"]
    assert len(names) == 2 + len(of_decoder)
    assert captioner.layers == [captioner.decoder]


@pytest.mark.parametrize(
    ("feedback", "reads_drafts"),
    [
        (NoFeedback(), False),
        (TextFeedback(5, rounds=0), False),
        (TextFeedback(5, rounds=2), True),
        (CausalTextFeedback(5, rounds=2), False),
    ],
)
def test_strategies_say_whether_they_read_drafts(feedback, reads_drafts):
    assert feedback.reads_drafts is reads_drafts


def test_causal_feedback_needs_attention_to_steer():
    decoder = NicDecoder(V, units=H)
    for feedback in (NoFeedback(), TextFeedback(5)):
        feedback.check(decoder)
    with pytest.raises(ValueError, match="NicDecoder has no attention that causal"):
        Captioner(Vocabulary(list("abcdefg")), decoder, CausalTextFeedback(5))
