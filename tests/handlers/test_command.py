"""The built-in handler `command`, with real programs (in real time: a child does not follow a virtual clock)."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.world import a_node
from trioarm import Reason, Run, RunContext, Schedule, State
from trioarm.core.instants import HOUR
from trioarm.core.triggers import Once

from ..engine.nodes import NEVER_AGAIN, a_config
from ..making import NOW

PYTHON = sys.executable


def a_command(argv: object, **policies: Any) -> Schedule:
    """Return a schedule that runs a program."""
    args = {"argv": argv, **policies.pop("args", {})}
    return Schedule("program", Once(NOW + HOUR), handler="command", args=args, retry=NEVER_AGAIN, **policies)


async def run_of(schedule: Schedule, cancel_after_s: float | None = None) -> Run:
    """Return what becomes of one run of it."""
    with trio.fail_after(30):
        async with a_node(config=a_config()) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            fired = await scheduler.runs.fire("program")
            if cancel_after_s is not None:
                await trio.sleep(cancel_after_s)
                await scheduler.runs.cancel(fired.id)
            return await scheduler.runs.wait(fired.id)


def python(code: str, *argv: str) -> list[str]:
    """Return an argument vector that runs Python code."""
    return [PYTHON, "-c", code, *argv]


async def test_a_program_that_ends_with_0_has_succeeded() -> None:
    """Its output is the result; standard input is empty, no shell touches its arguments."""
    code = "import sys; print(sys.stdin.read() or 'empty', sys.argv[1]); print('to stderr', file=sys.stderr)"
    run = await run_of(a_command(python(code, "$HOME; echo *")))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert sorted(str(run.result).splitlines()) == ["empty $HOME; echo *", "to stderr"]


async def test_a_program_that_says_nothing_has_no_result() -> None:
    """Nothing is not an empty text."""
    run = await run_of(a_command(["/bin/true"]))
    assert (run.state, run.result) == (State.SUCCEEDED, None)


async def test_a_program_that_ends_otherwise_has_failed_with_its_last_words() -> None:
    """The error names the program, its exit code and its last line."""
    run = await run_of(a_command(python("print('one'); print('two'); raise SystemExit(7)")))
    assert (run.state, run.reason) == (State.FAILED, Reason.ERROR)
    assert run.error == f"ProgramFailed: {PYTHON} ended with 7: two"


async def test_a_program_that_fails_silently_says_so() -> None:
    """There is no last line to show."""
    run = await run_of(a_command(["/bin/false"]))
    assert run.error == "ProgramFailed: /bin/false ended with 1: it said nothing"


async def test_a_program_is_told_which_run_it_is() -> None:
    """Its environment has the run, the schedule, the attempt, the fencing token and the arguments."""
    code = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('TRIOARM_')}))"
    run = await run_of(a_command(python(code), args={"to": ["a", "b"]}))
    told = json.loads(str(run.result))
    assert told["TRIOARM_RUN_ID"] == run.id
    assert told["TRIOARM_SCHEDULE"] == "program"
    assert (told["TRIOARM_ATTEMPT"], told["TRIOARM_TOKEN"]) == ("1", str(run.token))
    assert told["TRIOARM_NOMINAL_AT"] == told["TRIOARM_DUE_AT"]
    assert told["TRIOARM_DUE_AT"].startswith("2026-11-23T22:00:0")
    assert json.loads(told["TRIOARM_ARGS"])["to"] == ["a", "b"]


async def test_only_the_end_of_a_long_output_is_kept() -> None:
    """A chatty program neither fills the history nor is slowed down."""
    run = await run_of(a_command(python("print('x' * 3_000_000 + 'the end')")))
    assert run.state is State.SUCCEEDED
    assert len(str(run.result)) == 2_000
    assert str(run.result).endswith("xxthe end\n")


async def test_output_that_is_no_text_is_kept_readable() -> None:
    """Bytes that are not UTF-8 are replaced, not refused."""
    run = await run_of(a_command(python(r"import sys; sys.stdout.buffer.write(b'\xff\xfe ok')")))
    assert run.result == "�� ok"


async def test_a_program_that_takes_too_long_is_told_to_terminate() -> None:
    """It may tidy up; the run has timed out."""
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit('tidied up')); time.sleep(60)"
    run = await run_of(a_command(python(code), timeout_s=1))
    assert (run.state, run.reason) == (State.TIMED_OUT, Reason.TIMEOUT)
    assert run.error == "handler 'command' took longer than its timeout of 1 s"


async def test_a_program_that_will_not_terminate_is_killed_before_its_worker_is_given_up() -> None:
    """It has timed out like any other: nobody is stuck, and a retry could follow."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    run = await run_of(a_command(python(code), timeout_s=1))
    assert (run.state, run.reason) == (State.TIMED_OUT, Reason.TIMEOUT)


async def test_a_cancelled_run_ends_its_program() -> None:
    """What a person cancels does not go on."""
    run = await run_of(a_command(["/bin/sleep", "60"]), cancel_after_s=0.3)
    assert (run.state, run.reason) == (State.CANCELLED, Reason.USER)


async def test_a_program_that_is_not_there_is_not_tried_again() -> None:
    """Trying again would not bring it: the run is discarded, and says what was not found."""
    run = await run_of(a_command(["/no/such/program"]))
    assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
    assert run.error == "cannot start /no/such/program: No such file or directory"


@pytest.mark.parametrize("argv", [None, [], "echo hello", ["echo", 1], {"echo": "hello"}, [""]])
async def test_an_argument_vector_is_a_list_of_text(argv: object) -> None:
    """Anything else is discarded with an example of what is right."""
    run = await run_of(a_command(argv))
    assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
    assert run.error is not None
    assert "args.argv must be a list of text" in run.error or "cannot start" in run.error


@pytest.mark.parametrize(
    ("args", "more"),
    [
        ({}, {}),
        ({"env": {"NEW": "1", "HOME": "/elsewhere"}}, {"NEW": "1", "HOME": "/elsewhere"}),
        ({"inherit": ["SECRET", "NOT_THERE"]}, {"SECRET": "s3"}),
        ({"inherit": True}, {"SECRET": "s3", "OTHER": "o"}),
        ({"inherit": True, "env": {"OTHER": "mine", "TRIOARM_TOKEN": "9"}}, {"SECRET": "s3", "OTHER": "mine"}),
    ],
)
async def test_a_program_gets_few_variables_unless_told_otherwise(
    args: dict[str, Any], more: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it needs to find programs and speak a language; those of trioarm are never another's."""
    plain = {"PATH": "/usr/bin:/bin", "HOME": "/home", "LC_TIME": "C", "TZ": "UTC"}
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in {**plain, "SECRET": "s3", "OTHER": "o"}.items():
        monkeypatch.setenv(name, value)
    run = await run_of(a_command(["/usr/bin/env"], args=args))
    lines = [line.partition("=") for line in str(run.result).splitlines()]
    told = {name: value for name, _, value in lines if not name.startswith("TRIOARM_")}
    assert told == {**plain, **more}
    assert f"TRIOARM_TOKEN={run.token}" in str(run.result)


async def test_a_program_works_where_it_is_told_and_reads_what_it_is_given(tmp_path: Path) -> None:
    """`cwd` and `stdin`; a text that it does not read holds nobody up."""
    code = "import os, sys; print(os.getcwd(), sys.stdin.read())"
    run = await run_of(a_command(python(code), args={"cwd": str(tmp_path), "stdin": "žluťoučký"}))
    assert run.result == f"{tmp_path} žluťoučký\n"
    run = await run_of(a_command(["/bin/echo", "unread"], args={"stdin": "x" * 65_000}))
    assert (run.state, run.result) == (State.SUCCEEDED, "unread\n")
    run = await run_of(a_command(["/bin/true"], args={"cwd": "/no/such"}))
    assert (run.reason, run.error) == (
        Reason.DISCARDED,
        "cannot start /bin/true in /no/such: No such file or directory",
    )


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"env": ["A=1"]}, "args.env must map names to text"),
        ({"env": {"A": 1}}, "args.env must map names to text"),
        ({"env": {"A=B": "1"}}, "args.env has a name that no variable can have"),
        ({"env": {"": "1"}}, "args.env has a name that no variable can have"),
        ({"inherit": "HOME"}, "args.inherit must be a list of names"),
        ({"inherit": False}, "args.inherit must be a list of names"),
        ({"inherit": [1]}, "args.inherit must be a list of names"),
        ({"cwd": 1, "stdin": ["a"]}, "args.cwd must be text; args.stdin must be text"),
    ],
)
async def test_arguments_that_are_wrong_are_discarded(args: dict[str, Any], why: str) -> None:
    """One line for all of it, and the program is not started."""
    run = await run_of(a_command(["/bin/true"], args=args))
    assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
    assert run.error is not None
    assert run.error.startswith(why)


async def test_the_end_of_the_output_is_kept_with_a_run_that_fails() -> None:
    """And with one that runs out of time, with what had to be done about it."""
    run = await run_of(a_command(python("print('one'); print('two'); raise SystemExit(7)")))
    assert (run.state, run.result) == (State.FAILED, "one\ntwo\n")
    run = await run_of(a_command(["/bin/sh", "-c", "echo begun; sleep 60"], timeout_s=1))
    assert (run.state, run.result) == (State.TIMED_OUT, "begun\n[it was terminated]")


async def test_a_program_that_a_signal_ends_says_which() -> None:
    """A bare -11 would be a riddle."""
    run = await run_of(a_command(["/bin/sh", "-c", "echo x; kill -SEGV $$"]))
    assert run.error == "ProgramFailed: /bin/sh was ended by SIGSEGV: x"


def living(pids: list[int]) -> list[int]:
    """Return which of these processes are alive; one that waits to be reaped is not."""
    return [pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and state_of(pid) != "Z"]


def state_of(pid: int) -> str:
    """Return the state of a process as the system calls it."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    return "Z"


FAMILY = "{first} for i in 1 2 3; do sh -c 'echo $$; exec sleep 60' & done; echo $$; {then}"


def family(deaf: bool, then: str) -> list[str]:
    """Return a program of four processes that say who they are; deaf ones do not end when told to."""
    first = "trap '' TERM;" if deaf else ""
    return ["/bin/sh", "-c", FAMILY.format(first=first, then=then)]


@pytest.mark.parametrize("deaf", [False, True])
async def test_a_whole_family_ends_at_the_deadline(deaf: bool) -> None:
    """Those who do not heed being told to terminate are killed, and no process is left behind."""
    run = await run_of(a_command(family(deaf, "sleep 60"), timeout_s=2))
    assert (run.state, run.reason) == (State.TIMED_OUT, Reason.TIMEOUT)
    *pids, note = str(run.result).splitlines()
    assert note == ("[it was killed: it did not end when told to]" if deaf else "[it was terminated]")
    assert len(pids) == 4
    assert living([int(pid) for pid in pids]) == []


@pytest.mark.parametrize("deaf", [False, True])
async def test_what_a_program_leaves_running_is_ended_with_it(deaf: bool) -> None:
    """Though it keeps the pipe open: the program ended well, and the run says what was left."""
    run = await run_of(a_command(family(deaf, "exit 0")))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    *pids, note = str(run.result).splitlines()
    how = "killed: it did not end when told to" if deaf else "terminated"
    assert note == f"[what it left running was {how}]"
    assert living([int(pid) for pid in pids]) == []


async def test_who_began_a_session_of_its_own_is_left_alone_and_not_waited_for() -> None:
    """It holds the pipe open, and the run ends all the same."""
    run = await run_of(a_command(["/bin/sh", "-c", "setsid sh -c 'echo $$; exec sleep 50' & sleep 0.5; echo done"]))
    assert run.state is State.SUCCEEDED
    pid, done = str(run.result).splitlines()
    assert done == "done"
    assert living([int(pid)]) == [int(pid)]
    os.kill(int(pid), signal.SIGKILL)


async def test_a_program_that_closes_its_output_and_goes_on_is_ended_in_time() -> None:
    """An end of the output is no end of the program."""
    run = await run_of(a_command(["/bin/sh", "-c", "echo bye; exec >&- 2>&-; exec sleep 60"], timeout_s=1))
    assert (run.state, run.result) == (State.TIMED_OUT, "bye\n[it was terminated]")


async def test_a_flood_of_output_takes_neither_memory_nor_the_loop() -> None:
    """A program that never stops talking ends at its deadline; others run meanwhile."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with trio.fail_after(30):
        async with a_node(config=a_config()) as (scheduler, _):
            await scheduler.schedules.put(a_command(["/usr/bin/yes", "x" * 200], timeout_s=2))
            await scheduler.schedules.put(Schedule("other", Once(NOW + HOUR), handler="log"))
            fired = await scheduler.runs.fire("program")
            other = await scheduler.runs.fire("other")
            assert (await scheduler.runs.wait(other.id)).state is State.SUCCEEDED
            assert (await scheduler.runs.get(fired.id)).state is not State.TIMED_OUT
            run = await scheduler.runs.wait(fired.id)
    assert run.state is State.TIMED_OUT
    assert len(str(run.result)) < 2_100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


async def test_log_writes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """The message, or the name of the schedule."""
    caplog.set_level("INFO", "trioarm.log")
    async with a_node() as (scheduler, _):
        for name, args in (("beat", {}), ("talk", {"message": "all is well"})):
            await scheduler.schedules.put(Schedule(name, Once(NOW + HOUR), handler="log", args=args))
            await scheduler.runs.wait((await scheduler.runs.fire(name)).id)
    lines = [record.getMessage() for record in caplog.records if record.name == "trioarm.log"]
    assert lines == ["beat", "all is well"]


async def test_a_name_given_by_the_program_replaces_a_built_in_handler() -> None:
    """`command` may be one's own."""
    called: list[str] = []

    async def mine(run: RunContext) -> None:
        called.append(run.schedule)

    async with a_node({"command": mine}) as (scheduler, _):
        await scheduler.schedules.put(a_command(["/bin/false"]))
        assert (await scheduler.runs.wait((await scheduler.runs.fire("program")).id)).state is State.SUCCEEDED
    assert called == ["program"]
