"""From a run's settings to regions: the road that training and evaluation share."""

import csv
import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from annotator import datasets, files
from annotator.backbones import backbone as backbones
from annotator.features import cache as features
from annotator.images import decode as images


@dataclasses.dataclass(frozen=True)
class Split:
    """A split of a data set whose feature maps are on disk.

    Attributes:
        annotated: `AnnotatedImages`, without the images that could not be read.
        rows: int `[N]`, their rows in the caches.
        caches: One `FeatureCache` per view.
    """

    annotated: datasets.AnnotatedImages
    rows: np.ndarray
    caches: tuple[features.FeatureCache, ...]

    def __len__(self):
        return len(self.rows)

    def select(self, rows):
        """Some of its images, in ascending order, as a split of their own."""
        return Split(self.annotated.select(rows), self.rows[rows], self.caches)

    def regions(self, batch_size):
        """`tf.data.Dataset` of float16 regions `[B, R, channels]`, in order."""
        dataset = features.regions_dataset(self.caches, self.rows, batch_size)
        return dataset.map(lambda rows, regions: regions)

    def pixels(self, batch_size):
        """The same of a split of pixels: float16 `[B, height, width, 3]`, in order."""
        shape = (-1, *self.caches[0].shape)
        return self.regions(batch_size).map(lambda pixels: tf.reshape(pixels, shape))


def build_resizes(config, task):
    """The views of an image that a task reads, as `annotator.images.Resize` layers."""
    views = [
        images.Resize(size, config.aspect, config.resize_method, flip)
        for size in config.scales
        for flip in ((False, True) if config.flip else (False,))
    ]
    return views if task == "tagger" else views[:1]


def build_backbone(config, task, workdir=None, trainable=False):
    """The backbone that `config` asks for, with the tap of a task.

    Args:
        config: `Config`.
        task: `"tagger"` or `"captioner"`.
        workdir: Folder of the run. If the task's model was trained together with the
            backbone, its backbone has the weights of that training.
        trainable: Whether it is to be trained.

    Raises:
        ValueError: If the network, its layer or its weights cannot be had, or images of
            `config.scales` are too small for them.
    """
    learns = {
        "tagger": config.tagger == "finetuned",
        "captioner": config.finetune_backbone,
    }
    finetuned = learns[task] and workdir is not None
    backbone = backbones.build_backbone(
        config.backbone,
        tap(config, task),
        finetuned_backbone(workdir, task) if finetuned else config.backbone_weights,
        config.precision,
        config.seed,
        trainable,
        mixed=finetuned,
    )
    for resize in build_resizes(config, task):
        try:
            backbone.compute_output_shape((1, resize.size, resize.size, 3))
        except ValueError as error:
            raise ValueError(
                f"--scales={resize.size} is too small for {tap(config, task)} of "
                f"{config.backbone}."
            ) from error
    return backbone


def tap(config, task):
    """The layer that a task reads: `--tap`, `--captioner_tap`, or its default.

    Raises:
        ValueError: If the network is unknown, or the layer must be said.
    """
    if task == "captioner":
        return config.captioner_tap or backbones.default_tap(config.backbone, task)
    kind = "finetuned" if config.tagger == "finetuned" else task
    return config.tap or backbones.default_tap(config.backbone, kind)


def finetuned_backbone(workdir, task):
    """Where a run keeps the backbone that was trained with a task's model."""
    return pathlib.Path(workdir) / task / "backbone.keras"


def load_split(config, task, split, workdir, mirrored=False):
    """Loads a split and sees to it that its feature maps are on disk.

    Args:
        config: `Config`.
        task: `"tagger"` or `"captioner"`.
        split: Name of the split.
        workdir: Where `skipped_images_<split>.csv` is written, if one was skipped.
        mirrored: Whether the views are those of the mirror images.

    Returns:
        `Split`. For the captioner it leaves out images without a caption.

    Raises:
        ValueError: If the split has nothing that the task could learn or be scored by.
    """
    backbone = build_backbone(config, task, workdir)
    resizes = build_resizes(config, task)
    if mirrored:
        views = [resize.view for resize in resizes]
        resizes = [images.Resize(**{**v, "flip": not v["flip"]}) for v in views]
    return _load(config, task, split, workdir, backbone, resizes)


def load_pixels(config, task, split, workdir):
    """Loads a split and sees to it that its images are on disk, decoded.

    Those of `train` are a seventh larger than a view of the task, so that crops can be
    taken.

    Args and returns: as of `load_split`, but the maps are pixels, 0 to 255.
    """
    resizes = build_resizes(config, task)
    if split == "train":
        (view,) = [resize.view for resize in resizes]
        resizes = [images.Resize(**{**view, "size": round(view["size"] * 8 / 7)})]
    return _load(config, task, split, workdir, backbones.pixels(), resizes)


def load_annotations(config, splits):
    """Finds out, before any backbone runs, whether a run has all it will need.

    Returns:
        Dict from the name of a split to `AnnotatedImages`.

    Raises:
        ValueError: If a split lacks the tags or the captions of `config.task`.
        OSError: If a file of the data set is missing.
    """
    tasks = ("tagger", "captioner") if config.task == "all" else (config.task,)
    loaded = {split: _annotated_images(config, split) for split in splits}
    for annotated in loaded.values():
        for task in tasks:
            _check_annotations(annotated, task)
    return loaded


def _check_annotations(annotated, task):
    has = {"tagger": annotated.tags is not None}
    has["captioner"] = annotated.captions is not None and any(annotated.captions)
    if not has[task]:
        kind = {"tagger": "tags", "captioner": "captions"}[task]
        others = " ".join(f"--task={name} does without." for name in has if has[name])
        raise ValueError(
            f"The split {annotated.split} of the data set {annotated.name} has no "
            f"{kind} for the {task}. {others}".rstrip()
        )


def _annotated_images(config, split):
    return datasets.load(
        config.dataset,
        split,
        data_dir=config.data_dir,
        cache_dir=config.cache_dir,
        skip_bad_images=config.skip_bad_images,
    )


def _load(config, task, split, workdir, backbone, resizes):
    annotated = _annotated_images(config, split)
    _check_annotations(annotated, task)
    (layer,) = backbone.output
    caches = tuple(
        features.extract(
            annotated,
            resize,
            backbone,
            layer,
            config.cache_dir,
            skip_bad_images=config.skip_bad_images,
            batch_size=config.batch_size,
        )
        for resize in resizes
    )
    bad = {row: reason for cache in caches for row, reason in cache.bad.items()}
    skipped = list(annotated.skipped)
    skipped += [(annotated.image_ids[row], bad[row]) for row in sorted(bad)]
    if skipped:
        path = pathlib.Path(workdir) / f"skipped_images_{split}.csv"
        write_csv(path, ("image", "reason"), skipped)
        print(f"{len(skipped)} images of {config.dataset} {split} skipped: {path}")
    rows = np.setdiff1d(np.arange(len(annotated)), list(bad))
    if task == "captioner":
        captioned = [row for row in rows if annotated.captions[row]]
        if len(captioned) < len(rows):
            left = f"{len(rows) - len(captioned)} images without a caption"
            print(f"{left} are left out of {config.dataset} {split}")
        rows = np.array(captioned, rows.dtype)
    if len(rows) < len(annotated):
        annotated = annotated.select(rows)
    return Split(annotated, rows, caches)


def write_csv(path, header, rows):
    """Writes a CSV file atomically."""
    with files.atomic_path(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
