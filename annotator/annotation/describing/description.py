"""Descriptions: what a model says of an image, or why it says nothing."""

import dataclasses
from typing import NamedTuple

from annotator.annotation.records import Record


class ScoredCaption(NamedTuple):
    """A caption and its score.

    Attributes:
        text: The caption.
        score: As the search ranks captions; the higher, the better.
    """

    text: str
    score: float


class ScoredTag(NamedTuple):
    """A tag and its score.

    Attributes:
        word: The tag.
        score: As the tagger ranks tags; the higher, the better.
    """

    word: str
    score: float


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
            ranked = [{"caption": record["caption"], "score": record["caption_score"]}]
        tags = zip(record.get("tags", ()), record.get("tag_scores", ()), strict=True)
        return cls(
            caption=record.get("caption"),
            captions=tuple(
                ScoredCaption(each["caption"], each["score"]) for each in ranked or ()
            ),
            tags=tuple(ScoredTag(word, score) for word, score in tags),
        )

    def __str__(self) -> str:
        if len(self.captions) > 1:
            lines = [f"{text} ({score:.3g})" for text, score in self.captions]
        else:
            lines = [] if self.caption is None else [self.caption]
        if self.tags:
            tags = ", ".join(f"{word} {score:.3g}" for word, score in self.tags)
            lines.append(f"tags: {tags}")
        return "\n".join(lines) or "(no tags)"


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
