"""`python -m butane`: translate, explain and compare configs."""

import sys

from butane.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
