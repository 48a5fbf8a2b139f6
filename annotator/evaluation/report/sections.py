"""A section of the report."""

import dataclasses

from annotator.evaluation.report.markup import Markup


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report with a title of its own.

    Attributes:
        title: The title, which the table of contents has, too.
        content: What stands below it.
    """

    title: str
    content: Markup
