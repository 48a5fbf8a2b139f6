"""Scores of tags and of captions."""

from annotator.metrics.captions import score_captions
from annotator.metrics.cider_reward import CiderReward
from annotator.metrics.tags import per_word_table, score_tags

__all__ = ["CiderReward", "per_word_table", "score_captions", "score_tags"]
