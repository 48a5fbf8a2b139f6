"""The captioner's training."""
