"""huey on SQLite, with one worker, a thread: the only thing that it and trioarm both do is to run what a file holds.

A task is deleted from the file when a worker takes it: a crash loses it. It keeps a result, and no history, and polls.
SQLite is used as huey opens it: a write-ahead log, `synchronous` as SQLite was built.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any


def durable(n: int, folder: Path) -> dict[str, float]:
    """Return how many tasks a second are run of those that are queued when the consumer starts."""
    huey: Any = importlib.import_module("huey").SqliteHuey(filename=str(folder / "huey.db"))
    done = threading.Event()
    left = n

    def call() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    task = huey.task()(call)
    for _ in range(n):
        task()
    consumer = huey.create_consumer(workers=1, worker_type="thread", check_worker_health=False)
    began = time.perf_counter()
    consumer.start()
    done.wait()
    elapsed_s = time.perf_counter() - began
    consumer.stop()
    return {"durable": n / elapsed_s}


if __name__ == "__main__":
    figures = durable(int(sys.argv[2]), Path(sys.argv[3])) if sys.argv[1] == "durable" else {}
    sys.stdout.write(json.dumps(figures) + "\n")
