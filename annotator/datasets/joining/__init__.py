"""Splits and data sets joined to one, and captions that are read as tags."""
