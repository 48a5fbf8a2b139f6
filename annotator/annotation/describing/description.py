"""Descriptions: what a model says of an image, or why it says nothing."""

import dataclasses
from typing import NamedTuple

from annotator.annotation.records import Record


class ScoredCaption(NamedTuple):
    """A caption and its score.

    Attributes:
        text: The caption.
        score: As the search ranks captions; the higher, the better.
        word_probability: How probable it is that people use one of the caption's
            content words of the image, too, 0 to 1; `None` of a captioner that was not
            calibrated.
    """

    text: str
    score: float
    word_probability: float | None = None


class ScoredTag(NamedTuple):
    """A tag and its score.

    Attributes:
        word: The tag.
        score: As the tagger ranks tags; the higher, the better.
        probability: How probable it is that the tag is right, 0 to 1; `None` of a
            tagger that was not calibrated.
    """

    word: str
    score: float
    probability: float | None = None


@dataclasses.dataclass(frozen=True)
class Description:
    """What a model says of an image; `str` makes a few lines of it.

    Attributes:
        caption: The best caption; `None` without a captioner.
        captions: As many captions as were asked for, best first; empty without a
            captioner.
        tags: The tags, best first; empty without a tagger.
    """

    caption: str | None = None
    captions: tuple[ScoredCaption, ...] = ()
    tags: tuple[ScoredTag, ...] = ()

    @classmethod
    def from_record(cls, record: Record) -> "Description":
        """Makes a description of a record.

        Args:
            record: A record without an error, as `annotator.annotation.records` makes
                them.
        """
        ranked = record.get("captions")
        if ranked is None and record.get("caption_score") is not None:
            ranked = [
                {
                    "caption": record["caption"],
                    "score": record["caption_score"],
                    "word_probability": record.get("caption_word_probability"),
                }
            ]
        words, scores = record.get("tags", ()), record.get("tag_scores", ())
        probabilities = record.get("tag_probabilities", [None] * len(words))
        tags = zip(words, scores, probabilities, strict=True)
        return cls(
            caption=record.get("caption"),
            captions=tuple(
                ScoredCaption(
                    each["caption"], each["score"], each.get("word_probability")
                )
                for each in ranked or ()
            ),
            tags=tuple(ScoredTag(*tag) for tag in tags),
        )

    def __str__(self) -> str:
        if len(self.captions) > 1:
            lines = [f"{each.text} ({_chance(each)})" for each in self.captions]
        else:
            lines = [] if self.caption is None else [self.caption]
        if self.tags:
            tags = ", ".join(
                f"{tag.word} {tag.score:.3g}"
                if tag.probability is None
                else f"{tag.word} {tag.probability:.2f}"
                for tag in self.tags
            )
            lines.append(f"tags: {tags}")
        return "\n".join(lines) or "(no tags)"


def _chance(caption: ScoredCaption) -> str:
    if caption.word_probability is None:
        return f"{caption.score:.3g}"
    return f"a word is {caption.word_probability:.2f} probable"


class ImageError(ValueError):
    """An image that cannot be described, and why.

    Args:
        image: What the image is called: its path, or its place such as `images[3]`.
        reason: Why it cannot be described.

    Attributes:
        image: As above.
        reason: As above.
    """

    def __init__(self, image: str, reason: str) -> None:
        super().__init__(image, reason)
        self.image = image
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.image}: {self.reason}"
