"""`annotator annotate` of the checkout: see `python annotate.py --help`."""

from annotator.annotation.command import main

if __name__ == "__main__":
    main()
