"""The tagger of a run: fitted on a training split, continued after a kill."""

import keras
import numpy as np

from annotator import files, loading
from annotator.runs.heads import TAGGER
from annotator.runs.run import Run
from annotator.runs.splits import Split
from annotator.terminal.progress import ENCODING, FITTING
from annotator.training.data_warnings import warn_of_common_tags
from annotator.training.tagger.calibration import calibrate
from annotator.training.tagger.chosen import chosen_settings
from annotator.training.tagger.encoder import run_encoder
from annotator.training.tagger.extension import Extended
from annotator.training.tagger.finetune import finetune_tagger
from annotator.training.tagger.scores import fit_scores


def train_tagger(run: Run) -> None:
    """Fits the tagger of a run, or completes what an earlier try left.

    Each stage leaves a file in the tagger's folder, whole or not at all, and a stage
    whose file is there is not run again: `encoder.npz` (projection, codebook),
    `vectors.npy` and `tags.npz` (a row a training image), `calibration.npz` (how
    probable a word is by its score), `strengths.json` (the settings that the training
    images chose), `tagger.keras` (from regions float16
    `[B, R, channels]` to scores `[B, W]`).

    A tagger that is trained together with its backbone leaves what `finetune_tagger`
    says.

    Args:
        run: The run.

    Raises:
        ValueError: If the data set has no tags, or not the channels of the run that
            `config.extend` names.
    """
    if run.is_trained(TAGGER):
        return
    if TAGGER.trains_backbone(run.config):
        finetune_tagger(run)
        return
    extended = Extended.of(run.config)
    split = run.split(TAGGER, run.config.train_split)
    encoder = run_encoder(run, split, extended)
    if not run.files.tags.is_file():
        _encode_images(run, split, encoder, extended)
    vectors = loading.array(run.files.vectors, mmap_mode="r")
    stored = loading.arrays(run.files.tags)
    words, tags = stored["words"], stored["tags"]
    whitening_rows = int(stored["whitening_rows"])
    known = stored.get("known")
    warn_of_common_tags(tags, words)
    with run.progress.stage(FITTING, "the scores of tags"):
        config = chosen_settings(run.config, run.files)
        scores, chosen = fit_scores(config, vectors, tags, whitening_rows, known)
    if chosen and not run.files.strengths.is_file():
        _keep(run, chosen)
    inputs = keras.Input(encoder.input_shape[1:], dtype="float16")
    tagger = keras.Sequential([inputs, *encoder.layers, *scores.layers], name="tagger")
    files.write_json(run.files.words, words.tolist())
    calibrate(run, tagger, words.tolist(), vectors, tags, whitening_rows, known)
    with files.atomic_path(run.files.model(TAGGER.name)) as temporary:
        tagger.save(temporary)


def _keep(run, chosen):
    """Writes what the training images chose, and says it."""
    files.write_json(run.files.strengths, chosen)
    if chosen["f1"] is not None:
        print(
            "chosen by training images that are left out: "
            f"--shrinkage={chosen['shrinkage']:g} --margin={chosen['margin']:g} "
            f"--lift={chosen['lift']:g} (F1 {100 * chosen['f1']:.2f})"
        )


def _encode_images(
    run: Run, split: Split, encoder: keras.Model, extended: Extended | None
) -> None:
    """One streaming pass: `vectors.npy`, then `tags.npz`, which marks it complete."""
    dimensions = encoder.output_shape[-1]
    old_vectors = np.zeros((0, dimensions), np.float32)
    old_words: list[str] = []
    old_tags, whitening_rows = np.zeros((0, 0), bool), len(split)
    if extended:
        old_vectors = extended.vectors()
        old_words, old_tags, whitening_rows = extended.tags()
    words = list(dict.fromkeys([*old_words, *split.annotated.words]))
    tags = np.zeros((len(old_tags) + len(split), len(words)), bool)
    tags[: len(old_tags), : len(old_words)] = old_tags
    columns = [words.index(word) for word in split.annotated.words]
    tags[len(old_tags) :, columns] = split.annotated.tags
    partly = {}
    if split.annotated.known is not None:
        # The images of an extended tagger were asked for all words that are added: that
        # they lack one counts, as where no data sets are joined.
        partly["known"] = np.ones_like(tags)
        partly["known"][len(old_tags) :, columns] = split.annotated.known
    with files.atomic_path(run.files.vectors) as temporary:
        vectors = np.lib.format.open_memmap(
            temporary, "w+", np.float32, (len(tags), dimensions)
        )
        vectors[: len(old_tags)] = old_vectors
        row = len(old_tags)
        with run.progress.stage(ENCODING, "images", len(split), "image") as running:
            for regions in split.regions(run.config.batch_size):
                batch = encoder(regions).numpy()
                vectors[row : row + len(batch)] = batch
                row += len(batch)
                running.update(len(batch))
        vectors.flush()
    with files.atomic_path(run.files.tags) as temporary:
        np.savez(
            temporary, words=words, tags=tags, whitening_rows=whitening_rows, **partly
        )
