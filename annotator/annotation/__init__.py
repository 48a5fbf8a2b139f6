"""Captions and tags for any number of images."""
