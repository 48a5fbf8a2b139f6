"""The ways to pick a caption from a decoder's probabilities."""
