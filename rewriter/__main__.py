"""`python -m rewriter` is the command `rewriter`."""

from rewriter.cli import main

# Processes of a batch import this module too.
if __name__ == "__main__":
    main()
