"""PID 1: what the first process of a container has to be besides the program, which runs as its child.

The kernel hands every orphan of a container to its first process, which has to reap it, and keeps from that process
all signals it does not handle. So where the program is that process, it becomes a small one that hands signals on,
reaps whatever ends, and ends as the program ended. It starts nothing again, and knows nothing of nodes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

FIRST: Final = 1
KILLED: Final = 128  # a shell adds it to the number of the signal that ended a program
HANDED_ON: Final = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


def is_first() -> bool:
    """Whether this process is the first of its container, on a system that can do something about it."""
    return os.getpid() == FIRST and hasattr(os, "fork")


def attend(program: Callable[[], int]) -> int:
    """Run a program in a child of this process and return its exit code, 128 and the number where a signal ended it.

    The child has a process group of its own: a terminal's Ctrl+C reaches it once, handed on, and not twice.

    Args:
        program: to be run; what it returns is the child's exit code. It is called before this process has any threads.
    """
    handed_on = [signal.Signals[name] for name in HANDED_ON]
    watched = {*handed_on, signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever ignores it is never told
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)  # from here on no signal is lost: each waits its turn
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return program()
    while True:
        number = signal.sigwait(watched)
        if number == signal.SIGCHLD:
            status = _reap(child)
            if status is not None:
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else KILLED + os.WTERMSIG(status)
        else:
            os.kill(child, number)  # it has not been reaped, so the number is still its own


def _reap(child: int) -> int | None:
    """Reap every process that has ended; return the status of the child, None while it lives."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:  # nobody is left
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status
