"""Data sets that a user makes: a folder with annotation files, or with keywords."""
