"""Rules on the words that are given: which, under which names, above which scores."""
