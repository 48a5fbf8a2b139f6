"""A row of the results page is a command; this is where they are kept and run."""
