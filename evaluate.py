"""`annotator evaluate` of the checkout: see `python evaluate.py --help`."""

from annotator.evaluation.command import main

if __name__ == "__main__":
    main()
