"""Feature maps on disk."""
