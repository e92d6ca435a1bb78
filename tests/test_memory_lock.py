"""Memory locking, each in a process of its own: what is locked stays so until it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest
from antiphon.daemon.memory_lock import lock_granted, lock_limit, locked_bytes, resident_bytes

_MIB = 1 << 20
_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's mlockall is used")
_CODE = """
import json, mmap, threading
from antiphon.daemon.memory_lock import lock_memory, locked_bytes, resident_bytes, unlock_memory
before = resident_bytes()
found = lock_memory()
after, locked = resident_bytes(), locked_bytes()
held = mmap.mmap(-1, 256 << 20)
end = threading.Event()
threads = [threading.Thread(target=end.wait) for _ in range(8)]
for thread in threads:
    thread.start()
untouched = resident_bytes()
held.write(b"x" * (16 << 20))
touched = resident_bytes()
end.set()
undone = unlock_memory()
print(json.dumps({
    "granted": found.granted, "why": found.why, "before": before, "after": after, "locked": locked,
    "untouched": untouched, "touched": touched, "undone": undone.granted, "left": locked_bytes(),
}))
"""


def _child(*before: str) -> dict[str, Any]:
    done = subprocess.run(
        [*before, sys.executable, "-c", _CODE], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@_LINUX
def test_what_is_locked_is_what_is_used_and_no_more() -> None:
    found = _child()
    if not found["granted"]:
        assert found["why"]
        assert (found["locked"], found["left"]) == (0, 0)
        return
    assert found["locked"] >= 0.9 * found["after"]
    assert found["after"] - found["before"] < 4 * _MIB
    assert found["untouched"] - found["after"] < 8 * _MIB  # 256 MiB mapped, and eight threads' stacks
    assert found["touched"] - found["untouched"] >= 15 * _MIB
    assert (found["undone"], found["left"]) == (False, 0)


@_LINUX
def test_where_it_is_refused_nothing_is_locked_and_the_limit_is_told() -> None:
    tool = shutil.which("setpriv")
    if tool is None:
        pytest.skip("there is no setpriv to do without privileges with")
    limit = lock_limit()
    drop = [tool, "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"]
    if limit is None or subprocess.run([*drop, "true"], check=False, capture_output=True).returncode:
        pytest.skip("privileges cannot be dropped here, or everybody may lock")
    found = _child(*drop)
    assert not found["granted"]
    assert found["why"] == f"RLIMIT_MEMLOCK allows {limit / _MIB:.0f} MiB, and it takes unlimited"
    assert (found["locked"], found["left"]) == (0, 0)
    assert found["untouched"] - found["after"] < 8 * _MIB


def test_trying_leaves_this_process_as_it_was() -> None:
    locked, resident = locked_bytes(), resident_bytes()
    found = lock_granted()
    assert found.granted == (found.why == "")
    assert locked_bytes() == locked
    assert resident_bytes() - resident < 16 * _MIB
