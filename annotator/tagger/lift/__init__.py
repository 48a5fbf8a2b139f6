"""What words of an image lend to each other."""
