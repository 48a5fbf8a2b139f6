"""Pixels: from the bytes of image files to what a backbone reads."""
