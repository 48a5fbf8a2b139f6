"""`annotator train` of the checkout: see `python train.py --help`."""

from annotator.training.command import main

if __name__ == "__main__":
    main()
