"""From the regions of an image to its vector."""
