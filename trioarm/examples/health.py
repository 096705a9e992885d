"""Health for a supervisor: one address that answers 200 while the node does its work and 503 when it does not, with the
reasons and a few numbers; and a line in the log whenever that changes.

python -m trioarm.examples.health 8100           # keeps health.db in this folder; then: curl localhost:8100
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from functools import partial
from typing import Final

import trio

import trioarm

LOOK_EVERY_S: Final = 1.0
ANSWER_WITHIN_S: Final = 5.0
STATUS: Final = {"healthy": "200 OK", "degraded": "200 OK", "down": "503 Service Unavailable"}


async def state_of(scheduler: trioarm.Scheduler) -> dict[str, object]:
    """Put health and numbers into one object.

    `degraded` works with something wrong: somebody should look, and a restart would help nobody. `down` does not work.
    """
    report, metrics = await scheduler.health(), scheduler.metrics()
    return {
        "level": report.level,
        "reasons": {part.component: part.reasons for part in report.components if part.reasons},
        "running": metrics.running,
        "queued": metrics.queued,
        "succeeded": metrics.finished.get(trioarm.State.SUCCEEDED, 0),
        "failed": metrics.finished.get(trioarm.State.FAILED, 0),
    }


async def answer(scheduler: trioarm.Scheduler, stream: trio.SocketStream) -> None:
    """Answer whatever is asked: this address has one answer."""
    with trio.move_on_after(ANSWER_WITHIN_S), suppress(trio.BrokenResourceError):  # whoever asked has hung up
        await stream.receive_some(4096)
        state = await state_of(scheduler)
        head = f"HTTP/1.1 {STATUS[str(state['level'])]}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        await stream.send_all(head.encode() + json.dumps(state).encode() + b"\n")


async def watch(scheduler: trioarm.Scheduler) -> None:
    """Say whenever the level has changed, and why."""
    before: object = None
    while True:
        state = await state_of(scheduler)
        if state["level"] != before:
            before = state["level"]
            print(f"{before}: {json.dumps(state['reasons'])}", flush=True)
        await trio.sleep(LOOK_EVERY_S)


async def beat(run: trioarm.RunContext) -> None:
    """Do the work of the program."""


async def main(port: int) -> None:
    """Work, watch and answer until interrupted."""
    async with (
        trioarm.open_scheduler("sqlite:///health.db", handlers={"beat": beat}) as scheduler,
        trio.open_nursery() as nursery,
    ):
        await scheduler.schedules.put(trioarm.Schedule("beat", trioarm.Every(1), handler="beat"))
        serve = partial(trio.serve_tcp, partial(answer, scheduler), port, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await nursery.start(serve)
        print("listening on port", listeners[0].socket.getsockname()[1], flush=True)
        await watch(scheduler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m trioarm.examples.health")
    parser.add_argument("port", type=int, help="where to listen, such as 8100")
    port = parser.parse_args().port
    try:
        trio.run(main, port)
    except* KeyboardInterrupt:
        print("stopped")
    except* OSError as error:
        sys.exit(f"port {port}: {error.exceptions[0]}")
