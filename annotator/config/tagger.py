"""Settings of the tagger."""

import dataclasses
import functools

from annotator.config.schemes import SCHEMES, Scheme
from annotator.config.setting import Settings, setting

_tagger = functools.partial(setting, group="tagger")
_decoding = functools.partial(setting, group="decoding", exported=True)


def _check_vlad(value):
    if "mean" in value and len(value) > 1:
        raise ValueError(f"--vlad=mean stands alone, got {','.join(value)}.")


@dataclasses.dataclass(frozen=True)
class TaggerSettings(Settings):
    """The tagger."""

    tap: str | None = _tagger(
        None,
        "Layer whose maps the tagger reads.",
        unset="vgg16: block5_conv2, resnet50: conv4_block6_out, alexnet: conv5; of "
        "other networks the last layer of stride 16",
        encoding=True,
    )
    flip: bool = _tagger(False, "Adds the mirror image of each view.", encoding=True)
    tagger: str = _tagger(
        "means",
        "What decides the tags: "
        + "; ".join(f"{scheme.name}: {scheme.summary}" for scheme in SCHEMES.values())
        + ".",
        choices=tuple(SCHEMES),
    )
    descriptor_power: float = _tagger(
        0.5,
        "Power of the regions' values that the tagger reads, taken before all else: at "
        "0.5 loud ones do not drown the others, at 1 they stay as they are.",
        above=0,
        before=1.0,
        encoding=True,
    )
    components: int = _tagger(
        256, "PCA dimensions of a descriptor.", least=1, encoding=True
    )
    codebook: int = _tagger(16, "Visual words of the VLAD vector.", least=1)
    vlad: tuple[str, ...] = _tagger(
        ("power", "l2"),
        "Normalizations of the VLAD vector, or none; with bow, of the histogram of "
        "visual words, which then takes VLAD's place; mean, alone, for the "
        "descriptors' mean in place of it, by its square root at unit length.",
        choices=("bow", "power", "intra", "l2", "mean"),
        check=_check_vlad,
    )
    covariance: int = _tagger(
        96,
        "PCA dimensions whose covariance in an image joins its VLAD vector, by its "
        "square root; 0 for none.",
        least=0,
        before=0,
    )
    similarity: str = _tagger(
        "whitened",
        "How means compares an image with a word, jec, 2pknn and mbrm --grid=0 with "
        "another image.",
        choices=("whitened", "l2", "cosine"),
    )
    shrinkage: float | None = _tagger(
        None,
        "Share of the trace that is added to the whitening's covariance.",
        unset="what does best on training images that are left out",
        above=0,
    )
    margin: float | None = _tagger(
        None,
        "Share of a word's typical similarity that is taken off its score.",
        unset="what does best on training images that are left out",
        least=0,
    )
    lift: float | None = _tagger(
        None,
        "How much a word gains by the other words of an image, 0 for nothing.",
        unset="what does best on training images that are left out",
        least=0,
        before=0.0,
    )
    neighbours: int = _tagger(5, "K of jec and 2pknn.", least=1)
    grid: int = _tagger(
        3,
        "Cells along a side, whose mean descriptors mbrm compares; 0 for the VLAD "
        "vector of the whole image.",
        least=0,
    )
    bandwidth: float = _tagger(
        0.03, "Variance of mbrm's kernel, as share of that of the cells.", above=0
    )
    smoothing: float = _tagger(
        1e5, "Images that one image counts for in mbrm, against all.", above=0
    )
    tag_epochs: int = _tagger(
        10, "Passes over the training images in which finetuned learns.", least=1
    )
    tag_batch: int = _tagger(32, "Images per step of finetuned.", least=1)
    tag_rate: float = _tagger(1e-3, "Peak learning rate of finetuned.", above=0)
    tag_convolution_rate: float = _tagger(
        0.1, "What this rate is multiplied by for convolutions.", least=0
    )
    tag_dropout: float = _tagger(
        0.5, "Rate of dropout before the last layer of finetuned.", least=0, below=1
    )
    extend: str | None = _tagger(
        None,
        "Workdir of an earlier run whose tagger is given this data set's images and "
        "words, without fitting its projection, codebook and whitening or choosing "
        "anything again; with "
        "--task=tagger.",
    )
    top_k: int = _decoding(
        5, "Tags per image; 0 for all that reach --threshold.", least=0
    )
    threshold: float | None = _decoding(None, "Lowest score of a tag.")
    tag_precision: float | None = _decoding(
        None,
        "Gives a word only where, by its score, so many are right on held-out images, "
        "with 95 % confidence; instead of --threshold. Words that cannot reach it are "
        "not given.",
        least=0.01,
        below=1,
    )
    tag_probability: float | None = _decoding(
        None,
        "Gives a word only where it is at least so probable, by what validation "
        "images showed; instead of --threshold. Images then get as many tags as suit "
        "them, up to --top_k.",
        least=0.01,
        below=1,
    )
    rank_by: str = _decoding(
        "score",
        "What picks the tags: score, in which rare words count as much as others, as "
        "this field's averages do; or probability, by which more tags are right.",
        choices=("score", "probability"),
    )

    @property
    def scheme(self) -> Scheme:
        """The way in which this run tags."""
        return SCHEMES[self.tagger]

    @property
    def pooling(self) -> str | None:
        """How the regions of an image become its vector; see `Scheme.pooling`."""
        return "vlad" if self._whole else self.scheme.pooling

    @property
    def pooling_settings(self) -> tuple[str, ...]:
        """The settings of this pooling; see `Scheme.encoding`."""
        return SCHEMES["jec"].encoding if self._whole else self.scheme.encoding

    @property
    def _whole(self):
        """Whether a scheme that compares the cells of a grid is given none."""
        return self.scheme.pooling == "grid" and not self.grid

    def check_together(self) -> None:
        if {"bow", "intra"} <= set(self.vlad):
            raise ValueError(
                "--vlad=bow,intra would leave ones of the histogram: take "
                "--vlad=bow, with power or l2 or both."
            )
        limits = ("threshold", "tag_precision", "tag_probability")
        given = [f"--{name}" for name in limits if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"Give either {' or '.join(given)}.")
        if self.extend and not self.scheme.extendable:
            raise ValueError(
                f"--tagger={self.tagger} has no means that --extend could add to: "
                "train it anew, on all the images."
            )
