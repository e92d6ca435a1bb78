"""What a process's memory reads as while others that have the same library mapped come and go.

``python -m tests.bench.shared_memory [OTHERS]``.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_FIELDS = ("Rss", "Pss", "Anonymous")
_CODE = """
import sys
from antiphon.models.load import load_generator
generator = load_generator("antiphon", "cpu")
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def _with_the_model() -> Iterator[int]:
    """Start a process that has the shipped model loaded and does nothing; give its id."""
    command = [sys.executable, "-c", _CODE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _told(pid: int) -> str:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {name: re.search(rf"^{name}:\s+(\d+)", rollup, re.MULTILINE) for name in _FIELDS}
    return ", ".join(f"{name} {int(match[1]) / 1024:.1f} MB" for name, match in found.items() if match)


def main(argv: list[str]) -> int:
    """Print one process's memory alone, beside each further one, and alone again."""
    others = int(argv[0]) if argv else 3
    with _with_the_model() as pid:
        print(f"alone: {_told(pid)}")
        with contextlib.ExitStack() as stack:
            for number in range(1, others + 1):
                stack.enter_context(_with_the_model())
                print(f"beside {number}: {_told(pid)}")
        print(f"alone again: {_told(pid)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
