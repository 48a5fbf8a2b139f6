"""Convolutional networks: pixels in, feature maps out."""
