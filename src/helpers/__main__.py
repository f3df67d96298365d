"""``zif4``, or ``python -m helpers``: Ctrl-C has its one line from before the imports on."""

import sys

from helpers import interrupts

interrupts.leave_at_once()

from helpers.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
