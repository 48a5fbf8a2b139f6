"""The tagger's training."""
