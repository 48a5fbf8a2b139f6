"""A run: its settings, its folder and what belongs to it."""
