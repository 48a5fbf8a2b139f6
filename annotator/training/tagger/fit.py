"""The tagger's part of `train.py`: fit on a training split, continue after a kill."""

import pathlib

import keras
import numpy as np
import tqdm

from annotator import files
from annotator.config import Config
from annotator.runs import run as pipeline
from annotator.tagger import encoder, mbrm, nearest_neighbors, vlad, whitened_means
from annotator.tagger.word_means import WordMeans
from annotator.tagger.word_scores import WordScores
from annotator.training.tagger.finetune import finetune_tagger

# Descriptors that PCA and k-means are fitted on: 400 MB at 1,024 channels.
DESCRIPTOR_SAMPLE = 100_000

NEIGHBOR_TAGGERS = {
    "jec": nearest_neighbors.JEC,
    "2pknn": nearest_neighbors.TwoPassKNN,
}

# Settings that decide an image's vector.
_ENCODING = (
    *("backbone", "backbone_weights", "tap", "precision", "seed", "scales", "flip"),
    *("aspect", "resize_method", "components"),
)
_VLAD_ENCODING = ("codebook", "vlad")
_GRID_ENCODING = ("tagger", "grid")


def train_tagger(config, workdir):
    """Fits the tagger of a run, or completes what an earlier try left.

    Each stage leaves a file in `workdir/tagger`, whole or not at all, and a stage whose
    file is there is not run again: `encoder.npz` (projection, codebook), `vectors.npy`
    and `tags.npz` (a row a training image), `tagger.keras` (regions to scores).

    A tagger that is `finetuned` leaves what `finetune_tagger` says.

    Args:
        config: `Config`.
        workdir: Folder of the run.

    Returns:
        `keras.Model` from regions float16 `[B, R, channels]` to scores `[B, W]`.

    Raises:
        ValueError: If the data set has no tags, or not the channels of the run that
            `config.extend` names.
    """
    folder = pathlib.Path(workdir) / "tagger"
    if (folder / "tagger.keras").is_file():
        return keras.saving.load_model(folder / "tagger.keras")
    if config.tagger == "finetuned":
        return finetune_tagger(config, workdir)
    earlier = _extended_folder(config)
    split = pipeline.load_split(config, "tagger", "train", workdir)
    encode = _encoder(config, folder / "encoder.npz", split, earlier)
    if not (folder / "tags.npz").is_file():
        _encode_images(config, folder, split, encode, earlier)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    with np.load(folder / "tags.npz", allow_pickle=False) as arrays:
        words, tags = arrays["words"], arrays["tags"]
        whitening_rows = int(arrays["whitening_rows"])
    scores = fit_scores(config, vectors, tags, whitening_rows)
    tagger = keras.Sequential(
        [keras.Input(encode.input_shape[1:], dtype="float16"), *encode.layers, scores],
        name="tagger",
    )
    files.write_json(folder / "words.json", words.tolist())
    with files.atomic_path(folder / "tagger.keras") as temporary:
        tagger.save(temporary)
    return tagger


def fit_scores(config, vectors, tags, whitening_rows=None):
    """The layer from vectors to scores that `config` asks for.

    Args:
        config: `Config`.
        vectors: float32 `[N, d]`; may be a memory map.
        tags: bool `[N, W]`.
        whitening_rows: How many of the first vectors decide the whitening; all by
            default.

    Returns:
        A built layer from `[B, d]` to float32 `[B, W]`.
    """
    if config.tagger == "mbrm":
        return mbrm.MBRM.fit(
            np.asarray(vectors),
            tags,
            regions=config.grid**2,
            bandwidth=config.bandwidth,
            smoothing=config.smoothing,
            name="scores",
        )
    if config.tagger in NEIGHBOR_TAGGERS:
        tagger = NEIGHBOR_TAGGERS[config.tagger]
        return tagger.fit(
            np.asarray(vectors), tags, neighbors=config.neighbours, name="scores"
        )
    means = WordMeans(range(tags.shape[1]), vectors.shape[1])
    for rows in np.array_split(np.arange(len(vectors)), -(-len(vectors) // 1024)):
        means.add(vectors[rows], tags[rows])
    if config.similarity != "whitened":
        return WordScores.from_means(means, config.similarity, name="scores")
    whitening = whitened_means.Whitening.fit(vectors[:whitening_rows], config.shrinkage)
    return whitened_means.linear_scores(
        *whitened_means.fit_whitened_means(
            means, whitening, vectors, tags, config.margin
        )
    )


def _extended_folder(config):
    """The tagger folder of the run that `config.extend` names, if any."""
    if not config.extend:
        return None
    other = Config.load(config.extend)
    grid = "mbrm" in (config.tagger, other.tagger)
    for name in (_GRID_ENCODING if grid else _VLAD_ENCODING) + _ENCODING:
        if getattr(other, name) != getattr(config, name):
            raise ValueError(
                f"The vectors of --extend={config.extend} were made with "
                f"{name}={getattr(other, name)}, these would be with "
                f"{getattr(config, name)}: they cannot be compared."
            )
    folder = pathlib.Path(config.extend) / "tagger"
    if not all((folder / name).is_file() for name in ("encoder.npz", "tags.npz")):
        raise ValueError(f"--extend={config.extend} holds no trained tagger.")
    return folder


def _encoder(config, path, split, earlier):
    """The encoder at `path`; where none is, that of the extended run or a new fit."""
    existing = path if path.is_file() or not earlier else earlier / "encoder.npz"
    if existing.is_file():
        with np.load(existing, allow_pickle=False) as arrays:
            fitted = dict(arrays)
    else:
        batches = tqdm.tqdm(
            split.regions(config.batch_size).as_numpy_iterator(),
            desc="sampling descriptors",
            total=-(-len(split) // config.batch_size),
            unit="batch",
        )
        sample = encoder.sample_descriptors(
            batches, len(split), DESCRIPTOR_SAMPLE, config.seed
        )
        codebook = None if config.tagger == "mbrm" else config.codebook
        fitted = encoder.fit_encoder(sample, config.components, codebook, config.seed)
    if not path.is_file():
        with files.atomic_path(path) as temporary:
            np.savez(temporary, **fitted)
    kernel, bias = fitted["kernel"], fitted["bias"]
    if config.tagger == "mbrm":
        height, width, _ = split.caches[0].shape
        pooling = mbrm.GridMeans(config.grid, name="grid_means")
        return encoder.build_encoder(kernel, bias, pooling, height * width)
    pooling = vlad.VLAD.from_codebook(fitted["codebook"], config.vlad, name="vlad")
    return encoder.build_encoder(kernel, bias, pooling)


def _encode_images(config, folder, split, encode, earlier):
    """One streaming pass: `vectors.npy`, then `tags.npz`, which marks it complete."""
    dimensions = encode.output_shape[-1]
    old_vectors = np.zeros((0, dimensions), np.float32)
    old_words, old_tags, whitening_rows = [], np.zeros((0, 0), bool), len(split)
    if earlier:
        old_vectors = np.load(earlier / "vectors.npy", mmap_mode="r")
        with np.load(earlier / "tags.npz", allow_pickle=False) as arrays:
            old_words, old_tags = arrays["words"].tolist(), arrays["tags"]
            whitening_rows = int(arrays["whitening_rows"])
    words = list(dict.fromkeys([*old_words, *split.annotated.words]))
    tags = np.zeros((len(old_tags) + len(split), len(words)), bool)
    tags[: len(old_tags), : len(old_words)] = old_tags
    columns = [words.index(word) for word in split.annotated.words]
    tags[len(old_tags) :, columns] = split.annotated.tags
    with files.atomic_path(folder / "vectors.npy") as temporary:
        vectors = np.lib.format.open_memmap(
            temporary, "w+", np.float32, (len(tags), dimensions)
        )
        vectors[: len(old_tags)] = old_vectors
        row = len(old_tags)
        with tqdm.tqdm(total=len(split), desc="encoding images", unit="image") as bar:
            for regions in split.regions(config.batch_size):
                batch = encode(regions).numpy()
                vectors[row : row + len(batch)] = batch
                row += len(batch)
                bar.update(len(batch))
        vectors.flush()
    with files.atomic_path(folder / "tags.npz") as temporary:
        np.savez(temporary, words=words, tags=tags, whitening_rows=whitening_rows)
