"""Rules on the words that are given: included, excluded, renamed, implied."""
