"""What becomes of a command: its exit status, and one line for what the user can mend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from antiphon.models.errors import AntiphonError

MISTAKE = 2
INTERRUPTED = 130


def outcome(command: Callable[[], int]) -> int:
    """Run a command and give its exit status: `MISTAKE` for what the user can mend, told in one line."""
    try:
        return command()
    except AntiphonError as error:
        print(f"antiphon: {error}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `antiphon osc | head`: nobody reads on, and nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
