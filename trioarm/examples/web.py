"""A scheduler inside a web server: routes list the schedules, fire one, and say how it is; SIGTERM lets runs end.

python -m trioarm.examples.web 8100              # keeps web.db in this folder; then, for example:
curl localhost:8100/schedules; curl -X POST localhost:8100/schedules/report/fire; curl localhost:8100/health

The few lines of HTTP stand for the web server of your choice. They listen on this machine alone: who may fire what is
for the program to ask, trioarm does not.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

import trio

import trioarm

REQUEST_MAX: Final = 8192  # bytes
PATIENCE_S: Final = 10.0  # for a client that sends or reads slowly
WORK_S: Final = 0.5

Answer: TypeAlias = tuple[str, object]


async def list_schedules(scheduler: trioarm.Scheduler) -> Answer:
    """GET /schedules"""
    page = await scheduler.schedules.find(trioarm.ScheduleQuery(limit=100))
    return "200 OK", [
        {"name": one.schedule.name, "state": one.state, "next": one.next_due_at and one.next_due_at.isoformat()}
        for one in page.rows
    ]


async def fire(scheduler: trioarm.Scheduler, name: str) -> Answer:
    """POST /schedules/NAME/fire"""
    run = await scheduler.runs.fire(name, author="web")
    return "202 Accepted", {"run": run.id}


async def health(scheduler: trioarm.Scheduler) -> Answer:
    """GET /health"""
    level = (await scheduler.health()).level
    return "503 Service Unavailable" if level == "down" else "200 OK", {"level": level}


async def route(scheduler: trioarm.Scheduler, method: str, path: str) -> Answer:
    """Find who answers a request, and say what keeps it from being answered."""
    try:
        match method, path.strip("/").split("/"):
            case "GET", ["schedules"]:
                return await list_schedules(scheduler)
            case "GET", ["health"]:
                return await health(scheduler)
            case "POST", ["schedules", *name, "fire"] if name:  # a name may have slashes
                return await fire(scheduler, "/".join(name))
        return "404 Not Found", {"error": "there is nothing here"}
    except trioarm.UnknownSchedule as error:
        return "404 Not Found", {"error": str(error)}
    except trioarm.InvalidSchedule as error:  # such as a run that is unfinished, where none may run beside it
        return "409 Conflict", {"error": str(error)}
    except trioarm.TrioarmError as error:  # such as a store that is away: no reason for the program to end
        return "503 Service Unavailable", {"error": str(error)}


async def converse(scheduler: trioarm.Scheduler, stream: trio.SocketStream) -> None:
    """Answer one request and hang up."""
    head = b""
    with trio.move_on_after(PATIENCE_S), suppress(trio.BrokenResourceError):  # whoever asked has hung up
        while b"\r\n\r\n" not in head and len(head) < REQUEST_MAX:
            data = await stream.receive_some(REQUEST_MAX - len(head))
            if not data:
                return
            head += data
        words = head.decode("ascii", "replace").partition("\r\n")[0].split()
        status, body = await route(scheduler, *words[:2]) if len(words) == 3 else ("400 Bad Request", None)
        text = json.dumps(body).encode() + b"\n"
        line = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\nConnection: close"
        )
        await stream.send_all(line.encode() + b"\r\n\r\n" + text)


async def report(run: trioarm.RunContext) -> None:
    """Do the work of the program."""
    print("report:", run.id, flush=True)
    await trio.sleep(WORK_S)
    print("reported:", run.id, flush=True)


async def main(port: int) -> None:
    """Run scheduler and server until a signal comes: nobody is let in any more then, and runs that work may end.

    To leave the block is to stop well. Without a block, `trioarm.SchedulerBootstrap` has `stop`, for any task to call.
    """
    config = trioarm.SchedulerConfig.from_env()
    async with trioarm.open_scheduler("sqlite:///web.db", handlers={"report": report}, config=config) as scheduler:
        await scheduler.schedules.put(trioarm.Schedule("report", trioarm.Cron("0 6 * * *"), handler="report"))
        server = partial(trio.serve_tcp, partial(converse, scheduler), port, host="127.0.0.1")
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                listeners = await nursery.start(server)
                print("listening on port", listeners[0].socket.getsockname()[1], flush=True)
                await anext(signals)
                nursery.cancel_scope.cancel()
    print("stopped", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m trioarm.examples.web")
    parser.add_argument("port", type=int, help="where to listen, such as 8100")
    port = parser.parse_args().port
    try:
        trio.run(main, port)
    except* KeyboardInterrupt:
        print("stopped at once")
    except* OSError as error:
        sys.exit(f"port {port}: {error.exceptions[0]}")
