"""A loaded model that describes images in Python and on the console."""
