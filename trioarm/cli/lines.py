"""Lines: what a node writes, by a thread of its own: a reader who stands still never makes the node stand still.

A terminal that was stopped, a pager, or a log collector that hangs takes nothing more once its pipe is full. What waits
then is bounded, and what is more is left out and counted.
"""

from __future__ import annotations

import os
import select
from collections import deque
from threading import Condition, Thread
from typing import Final, TextIO

WAITING_MAX: Final = 1_000_000  # characters that wait to be taken
LAST_S: Final = 2.0  # how long the last ones may wait once the node has ended


def lines_to(stream: TextIO) -> Lines | None:
    """Return what writes lines to a stream; None where no file of the operating system is behind it."""
    try:
        stream.fileno()
    except OSError:
        return None
    return Lines(stream)


class Lines:
    """Writes text to a file of the operating system, in order; whoever writes waits for nobody.

    Args:
        stream: where it goes; nobody else writes to it meanwhile.
    """

    def __init__(self, stream: TextIO) -> None:
        self._file = stream.fileno()
        self._encoding, self._errors = stream.encoding, stream.errors or "strict"
        self._waiting: deque[str] = deque()
        self._length = 0  # of what waits, and of what is being taken
        self._left_out = 0
        self._gone: OSError | None = None
        self._is_ending = False
        self._news = Condition()  # only ever waited for without a limit: a clock that is set does not reach it
        self._ended, self._end = os.pipe()
        Thread(target=self._work, name="lines", daemon=True).start()

    def write(self, text: str) -> None:
        """Have a text written, or count it where too much waits already.

        Raises:
            OSError: whoever read is gone.
        """
        with self._news:
            if self._gone is not None:
                raise self._gone
            if self._length and self._length + len(text) > WAITING_MAX:
                self._left_out += 1
                return
            self._waiting.append(text)
            self._length += len(text)
            self._news.notify()

    def left_out(self) -> int:
        """Return how many texts were left out since this was asked last; none while there is no room to say so."""
        with self._news:
            if self._length > WAITING_MAX // 2:
                return 0
            count, self._left_out = self._left_out, 0
            return count

    def finish(self) -> None:
        """Wait until all is taken, but not for ever; nothing is written afterwards."""
        with self._news:
            self._is_ending = True
            self._news.notify()
        select.select([self._ended], [], [], LAST_S)

    def _work(self) -> None:
        try:
            while text := self._next():
                data = memoryview(text.encode(self._encoding, self._errors))
                while data:
                    data = data[os.write(self._file, data) :]
                with self._news:
                    self._length -= len(text)
        except OSError as error:
            with self._news:
                self._gone = error
        os.close(self._end)

    def _next(self) -> str:
        """Return all that waits, once there is something; nothing at the end."""
        with self._news:
            while not self._waiting and not self._is_ending:
                self._news.wait()
            text = "".join(self._waiting)
            self._waiting.clear()
            return text
