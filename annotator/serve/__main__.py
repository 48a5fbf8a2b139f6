"""`python -m annotator.serve`, which is `annotator serve`."""

import sys

from annotator.serve.command import main

if __name__ == "__main__":
    main(["python -m annotator.serve", *sys.argv[1:]])
