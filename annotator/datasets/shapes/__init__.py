"""Scenes of colored shapes, a data set that is drawn on the spot."""
