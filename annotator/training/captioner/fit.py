"""The captioner of a run: trained on regions, surviving kills."""

from typing import Any

import keras

from annotator import files
from annotator.captioner import (
    Captioner,
    CausalTextFeedback,
    TextFeedback,
    Vocabulary,
)
from annotator.captioner.decoders.registry import attends, build_decoder
from annotator.runs.heads import CAPTIONER
from annotator.runs.run import Run
from annotator.training import workers
from annotator.training.captioner.ensemble import join_captioners
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.captioner.reranking import fit_run_reranker
from annotator.training.captioner.trainer import CaptionerTrainer
from annotator.training.captioner.word_probability import fit_run_word_probability

_FEEDBACK = {"draft": TextFeedback, "causal": CausalTextFeedback}


def train_captioner(run: Run) -> None:
    """Trains the captioner of a run, or continues what an earlier try left.

    At its end the re-ranker is fitted, if the settings ask for it, and then how
    probable the words of captions are; also of a captioner that was trained before.

    Where `ensemble` names trained ones, it is made of these and nothing is trained.

    Its folder then holds `vocabulary.json`, `checkpoints/` (weights, optimizer, random
    state and position, as of the last `checkpoint_steps`), the drafts of the current
    epoch, `best.weights.h5` (and `backbone.keras`, if that is trained too) and, at the
    end, `captioner.keras` with the weights of the best epoch, or of the last one where
    the validation images are learned.

    Args:
        run: The run. For workers other than the chief nothing is written.

    Raises:
        ValueError: If the settings do not go with the data or with each other.
        FloatingPointError: If the training diverges.
    """
    if not run.is_trained(CAPTIONER):
        if not run.config.ensemble:
            _train(run)
        elif workers.is_chief():
            join_captioners(run)
    if not workers.is_chief():
        return
    if run.config.rerank:
        fit_run_reranker(run)
    fit_run_word_probability(run)


def _train(run):
    if not workers.is_chief():  # it makes the features that the others read
        workers.from_chief()
    inputs = captioner_inputs(run)
    vocabulary = _vocabulary(run, inputs.train)
    if workers.is_chief():
        workers.from_chief()
    # Only here: how much chance the features took depends on what was on disk already.
    keras.utils.set_random_seed(run.config.seed)
    with workers.strategy().scope():
        inputs.build()
        captioner = build_captioner(run, vocabulary)
    CaptionerTrainer(run, captioner, inputs).fit()
    if not workers.is_chief():
        return
    captioner.load_weights(run.files.best_weights(CAPTIONER.name))
    # XLA pays in training. What is scored and exported runs on any server, and is one.
    captioner.set_jit_compile(False)
    with files.atomic_path(run.files.model(CAPTIONER.name)) as temporary:
        captioner.save(temporary)


def build_captioner(run: Run, vocabulary: Vocabulary) -> Captioner:
    """The captioner that a run's settings ask for, unbuilt: no weights yet."""
    config = run.config
    policy = "mixed_bfloat16" if config.precision == "bfloat16" else "float32"
    attention: dict[str, Any] = {}
    if attends(config.decoder):
        attention["context_dropout"] = config.context_dropout
        attention["condition"] = config.condition
    decoder = build_decoder(
        config.decoder,
        len(vocabulary),
        config.layers,
        units=config.units,
        attention_units=config.attention_units,
        dropout=config.dropout,
        tied=config.tied,
        seed=config.seed,
        jit_compile=config.jit_compile,
        reweighs=config.feedback_on,
        dtype=policy,
        **attention,
    )
    feedback = None
    if config.rounds:
        feedback = _FEEDBACK[config.feedback](
            config.attention_units,
            rounds=config.rounds,
            jit_compile=config.jit_compile,
            score=config.feedback_score,
            dtype=policy,
        )
    return Captioner(
        vocabulary,
        decoder,
        feedback,
        run.sampler(),
        seed=config.seed,
        region_power=config.region_power,
        dtype=policy,
    )


def _vocabulary(run, train):
    """The vocabulary of the training captions, written when it is first made."""
    captions = (c for captions in train.annotated.captions for c in captions)
    vocabulary = Vocabulary.fit(captions, run.config.min_count)
    path = run.files.vocabulary
    if run.files.checkpoints(CAPTIONER.name).is_dir():
        saved = Vocabulary.load(path)
        vocabulary.check(saved.fingerprint(), f"The captioner of {path.parent}")
    elif workers.is_chief():
        vocabulary.save(path)
    return vocabulary
