"""The captioner's part of `train.py`: train on cached regions, survive a kill."""

import pathlib

import keras

from annotator import files
from annotator.captioner import (
    BeamSearch,
    Captioner,
    CausalTextFeedback,
    TextFeedback,
    Vocabulary,
)
from annotator.captioner.decoders.registry import build_decoder
from annotator.training import workers
from annotator.training.captioner.inputs import captioner_inputs
from annotator.training.captioner.trainer import CaptionerTrainer


def train_captioner(config, workdir):
    """Trains the captioner of a run, or continues what an earlier try left.

    `workdir/captioner` holds `vocabulary.json`, `checkpoints/` (weights, optimizer,
    random state and position, as of the last `checkpoint_steps`), the drafts of the
    current epoch, `best.weights.h5` (and `backbone.keras`, if that is trained too) and,
    at the end, `captioner.keras`.

    Args:
        config: `Config`.
        workdir: Folder of the run.

    Returns:
        The trained `Captioner`, with the weights of its best epoch (for workers other
        than the chief, of the last one).

    Raises:
        ValueError: If the settings do not go with the data or with each other.
    """
    folder = pathlib.Path(workdir) / "captioner"
    finished = folder / "captioner.keras"
    if finished.is_file():
        return load_captioner(config, workdir)
    if not workers.is_chief():  # it makes the features that the others read
        workers.from_chief()
    inputs = captioner_inputs(config, workdir)
    vocabulary = _vocabulary(config, folder / "vocabulary.json", inputs.train)
    if workers.is_chief():
        workers.from_chief()
    # Only here: how much chance the features took depends on what was on disk already.
    keras.utils.set_random_seed(config.seed)
    with workers.strategy().scope():
        inputs.build()
        captioner = build_captioner(config, vocabulary)
    trainer = CaptionerTrainer(config, workdir, captioner, inputs)
    trainer.run()
    if not workers.is_chief():
        return captioner
    captioner.load_weights(folder / "best.weights.h5")
    # XLA pays in training. What is scored and exported runs on any server, and is one.
    captioner.set_jit_compile(False)
    with files.atomic_path(finished) as temporary:
        captioner.save(temporary)
    return captioner


def build_captioner(config, vocabulary):
    """The captioner that `config` asks for, unbuilt: no weights yet."""
    policy = "mixed_bfloat16" if config.precision == "bfloat16" else "float32"
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
        dtype=policy,
    )
    feedback = None
    if config.rounds:
        kind = {"draft": TextFeedback, "causal": CausalTextFeedback}[config.feedback]
        feedback = kind(
            config.attention_units,
            rounds=config.rounds,
            jit_compile=config.jit_compile,
            dtype=policy,
        )
    return Captioner(
        vocabulary,
        decoder,
        feedback,
        _beam_search(config),
        seed=config.seed,
        dtype=policy,
    )


def load_captioner(config, workdir):
    """The trained captioner of a run, to be decoded as `config` says."""
    path = pathlib.Path(workdir) / "captioner" / "captioner.keras"
    captioner = keras.saving.load_model(path)
    captioner.decode_by(_beam_search(config))
    return captioner


def _beam_search(config):
    return BeamSearch(
        config.beams,
        config.length_penalty,
        max_length=config.max_length,
        no_repeat_ngram=config.no_repeat_ngram,
    )


def _vocabulary(config, path, train):
    """The vocabulary of the training captions, written when it is first made."""
    captions = (c for captions in train.annotated.captions for c in captions)
    vocabulary = Vocabulary.fit(captions, config.min_count)
    if (path.parent / "checkpoints").is_dir():
        saved = Vocabulary.load(path)
        vocabulary.check(saved.fingerprint(), f"The captioner of {path.parent}")
    elif workers.is_chief():
        vocabulary.save(path)
    return vocabulary
