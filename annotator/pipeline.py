"""From a run's settings to regions: the road that training and evaluation share."""

import csv
import dataclasses
import pathlib

import numpy as np

from annotator import backbone as backbones
from annotator import datasets, features, files, images


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

    def regions(self, batch_size):
        """`tf.data.Dataset` of float16 regions `[B, R, channels]`, in order."""
        dataset = features.regions_dataset(self.caches, self.rows, batch_size)
        return dataset.map(lambda rows, regions: regions)


def build_resizes(config, task):
    """The views of an image that a task reads, as `annotator.images.Resize` layers."""
    views = [
        images.Resize(size, config.aspect, config.resize_method, flip)
        for size in config.scales
        for flip in ((False, True) if config.flip else (False,))
    ]
    return views if task == "tagger" else views[:1]


def build_backbone(config, task):
    """The frozen backbone that `config` asks for, with the tap of a task."""
    tap = config.tap
    if task == "captioner":
        tap = config.captioner_tap or backbones.REGION_TAPS.get(config.backbone)
    return backbones.build_backbone(
        config.backbone, tap, config.backbone_weights, config.precision, config.seed
    )


def load_split(config, task, split, workdir):
    """Loads a split and sees to it that its feature maps are on disk.

    Args:
        config: `Config`.
        task: `"tagger"` or `"captioner"`.
        split: Name of the split.
        workdir: Where `skipped_images.csv` is written, if an image was skipped.

    Returns:
        `Split`.
    """
    annotated = datasets.load(
        config.dataset,
        split,
        data_dir=config.data_dir,
        cache_dir=config.cache_dir,
        skip_bad_images=config.skip_bad_images,
    )
    backbone = build_backbone(config, task)
    (tap,) = backbone.output
    caches = tuple(
        features.extract(
            annotated,
            resize,
            backbone,
            tap,
            config.cache_dir,
            skip_bad_images=config.skip_bad_images,
            batch_size=config.batch_size,
        )
        for resize in build_resizes(config, task)
    )
    bad = {row: reason for cache in caches for row, reason in cache.bad.items()}
    skipped = list(annotated.skipped)
    skipped += [(annotated.image_ids[row], bad[row]) for row in sorted(bad)]
    if skipped:
        path = pathlib.Path(workdir) / f"skipped_images_{split}.csv"
        write_csv(path, ("image", "reason"), skipped)
        print(f"{len(skipped)} images of {config.dataset} {split} skipped: {path}")
    rows = np.setdiff1d(np.arange(len(annotated)), list(bad))
    if bad:
        annotated = annotated.select(rows)
    return Split(annotated, rows, caches)


def write_csv(path, header, rows):
    """Writes a CSV file atomically."""
    with files.atomic_path(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
