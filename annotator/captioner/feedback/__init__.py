"""Text feedback: a caption re-weights the regions it was written from."""
