"""Schemes: the ways to tag an image, and what each of them needs."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scheme:
    """A way to tag an image.

    Attributes:
        name: What `--tagger` calls it.
        summary: What decides the tags.
        pooling: How the regions of an image become its vector: `"vlad"`, `"grid"`, or
            `None` where the backbone gives the scores itself.
        encoding: The settings of this pooling. With `Settings.encoding()` they decide
            the vector of an image.
        one_view: Whether it reads one view of an image and no mirror image.
        trains_backbone: Whether the backbone is trained with it.
        extendable: Whether `--extend` can add images and words to what was learned.
        learns_partly: Whether it can learn from images that were not asked for all
            words, as those of joined data sets.
    """

    name: str
    summary: str
    pooling: str | None = "vlad"
    encoding: tuple[str, ...] = ("codebook", "vlad", "covariance")
    one_view: bool = False
    trains_backbone: bool = False
    extendable: bool = True
    learns_partly: bool = False


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("means", "the mean vectors of the words", learns_partly=True),
        Scheme("jec", "the nearest images"),
        Scheme("2pknn", "the nearest images of each word"),
        Scheme(
            "mbrm",
            "densities around the cells of all images",
            pooling="grid",
            encoding=("grid",),
            one_view=True,
        ),
        Scheme(
            "finetuned",
            "the backbone itself, trained to the end on augmented images",
            pooling=None,
            encoding=(),
            one_view=True,
            trains_backbone=True,
            extendable=False,
        ),
    )
}
