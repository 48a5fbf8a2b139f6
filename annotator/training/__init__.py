"""Training: from a run's settings to its exports."""
