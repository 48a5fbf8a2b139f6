"""Consensus re-ranking: of several captions the one that is most like references."""
