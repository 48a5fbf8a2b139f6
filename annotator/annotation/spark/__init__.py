"""Annotation on a Spark cluster."""
