"""`python -m alkit`: the commands."""

import sys

from alkit.commands import main

if __name__ == "__main__":
    sys.exit(main())
