"""What ``make test`` runs: what is on real ports, in an order, and beside it what computes, whenever nobody else does.

The soak and what bears a busy machine on real ports run beside each other, and then what keeps time, with no other such
test beside it. JACK's servers share a table in memory, and while one starts or ends, a client of another may be told
that there is none: so each of these jobs has a JACK of its own, where the system allows it. Types and all the other
tests compute, and take what these leave of the processors: they run in the system's idle class, so that nothing ever
waits for them. Each job's words are told when it is over, so that they stay together, but for the longest one's. Exit
status 1 where anything fails; what keeps time is not tried where what is on real ports before it did.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

#: Gives a command a shared memory and semaphores of its own.
OWN_MEMORY = ("unshare", "--mount", "--ipc", "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh")
#: Makes way for all else: the scheduler's idle class, or as nice as can be where there is none.
IDLE = ("chrt", "--idle", "0") if shutil.which("chrt") else ("nice", "-n", "19")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to run.

    Attributes:
        name: what it is called where it is told of.
        command: it, with its arguments.
        yields: it makes way for all the others, and its libraries keep to one thread.
        aloud: its words are told as they come.
        apart: it has a JACK of its own, where that can be.
    """

    name: str
    command: tuple[str, ...]
    yields: bool = False
    aloud: bool = False
    apart: bool = False

    def run(self) -> bool:
        """Run it, tell of it, and say whether all is well."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["OPENBLAS_NUM_THREADS"] = "1"  # numpy's further threads spin at first, for nothing
        if self.yields:
            environment["OMP_NUM_THREADS"] = "1"
        before = (*(IDLE if self.yields else ()), *(OWN_MEMORY if self.apart and own_memory() else ()))
        began = time.monotonic()
        words = ""
        with subprocess.Popen(
            [*before, *self.command], env=environment, stdout=None if self.aloud else subprocess.PIPE,
            stderr=None if self.aloud else subprocess.STDOUT, text=True, errors="replace",
        ) as process:  # fmt: skip
            if process.stdout is not None:
                words = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        fate = "" if process.returncode == 0 else f" FAILED ({process.returncode})"
        took_s, busy_s = time.monotonic() - began, used.ru_utime + used.ru_stime
        told = f"{words}== {self.name}:{fate} {took_s:.0f} s, {busy_s:.0f} s of a processor\n"
        print(told, end="", flush=True)  # at one go: others tell of themselves meanwhile
        return process.returncode == 0


@functools.cache
def own_memory() -> bool:
    """Whether this system gives a command a memory of its own."""
    try:
        return subprocess.run([*OWN_MEMORY, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _tool(*command: str, yields: bool = False) -> Job:
    return Job(" ".join(command), (str(Path(sys.executable).with_name(command[0])), *command[1:]), yields)


def _tests(marks: str, *flags: str, yields: bool = False, aloud: bool = False, apart: bool = False) -> Job:
    command = (sys.executable, "-m", "pytest", "--quiet", "-m", marks, *flags)
    return Job(f"tests: {marks}", command, yields, aloud, apart)


def _share(job: Job, which: int, shares: int) -> Job:
    share = f"{which}/{shares}"
    return replace(job, name=f"{job.name}, {share}", command=(*job.command, "--share", share))


#: A process a processor; whichever is done first takes half of what is left to the other.
_SPREAD = ("--numprocesses", "auto", "--dist", "worksteal")
#: Over in a moment.
RULES = (_tool("ruff", "check", "."), _tool("ruff", "format", "--check", "."))
SOAK = _tests("soak", apart=True)
SURVIVAL = _tests("survival", apart=True)
PATIENT = _tests("patient and not survival", apart=True)
#: Rows of jobs: one after the other in a row, the rows beside each other, at most three of them on real ports, and two
#: where they share JACK's table.
BESIDE: tuple[tuple[Job, ...], ...] = ((SOAK,), (SURVIVAL, PATIENT))
if own_memory():
    BESIDE = ((SOAK,), *((_share(SURVIVAL, half, 2), _share(PATIENT, half, 2)) for half in (1, 2)))
#: No other one on real ports beside it.
ALONE = (_tests("(jack or ardour or realtime) and not (patient or survival or soak)", apart=True),)
#: Beside all of these.
YIELDING = (
    (_tests("not (jack or ardour or realtime)", *_SPREAD, yields=True, aloud=True),),
    (_tool("mypy", yields=True),),
)


def in_turn(jobs: tuple[Job, ...]) -> bool:
    """Run jobs one after the other, until one fails, and say whether all went well."""
    return all(job.run() for job in jobs)


def beside(rows: tuple[tuple[Job, ...], ...]) -> bool:
    """Run rows of jobs beside each other, all of them to their ends, and say whether all went well."""
    with ThreadPoolExecutor(len(rows)) as pool:
        return all(running.result() for running in [pool.submit(in_turn, row) for row in rows])


def main() -> int:
    """Run everything."""
    began = time.monotonic()
    well = in_turn(RULES)
    if not own_memory():
        print("== all tests on real ports share JACK's table: this system gives no command a memory of its own")
    if well:
        with ThreadPoolExecutor(1) as pool:
            yielding = pool.submit(beside, YIELDING)
            well = beside(BESIDE) and in_turn(ALONE)
            well = yielding.result() and well
    print(f"== everything:{'' if well else ' FAILED'} {time.monotonic() - began:.0f} s")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
