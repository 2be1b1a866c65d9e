"""`python -m drills`: a stack to play with, and the faults to break it."""

import sys

from drills.command import main

if __name__ == "__main__":
    sys.exit(main())
