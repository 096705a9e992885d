"""The built-in handler `command`: runs a program, never a shell, and tells it who it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping

from trioarm.core.instants import instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard
from trioarm.engine.attempt import RunContext
from trioarm.links.program import PASSED, NotStarted, Output, ending, last_line, run_program


class ProgramFailed(Exception):
    """The program ended with an exit code other than 0."""


async def command(run: RunContext) -> Json:
    """Run the argument vector `argv` to its end; its exit code decides.

    Further arguments: `env`, variables beside those every program gets; `inherit`, names of variables of the node to
    pass on, or true for all; `cwd`, the directory it works in; `stdin`, a text it can read.

    Returns:
        the last 2 000 bytes of its output, as text. They are kept with a run that fails, too.

    Raises:
        Discard: the arguments are not as they should be, or the program cannot be started at all.
        ProgramFailed: it ended with an exit code other than 0.

    Cancellation: its process group is told to terminate, and killed when it has not ended within three seconds.
    """
    args = run.args
    problems = list(problems_of(args))
    if problems:
        raise Discard("; ".join(problems))
    argv, output = _texts(args["argv"]), Output()
    cwd, stdin = _text(args.get("cwd")), _text(args.get("stdin"))
    try:
        code = await run_program(argv, output, env=_environment(run, args), cwd=cwd, stdin=stdin)
    except NotStarted as error:
        raise Discard(str(error)) from error
    finally:
        run.leave(output.text or None)
    if code != 0:
        raise ProgramFailed(f"{argv[0]} {ending(code)}: {last_line(output.said)}")
    return output.text or None


def problems_of(args: Mapping[str, object]) -> Iterator[str]:
    """Yield a line for everything that is wrong with the arguments of a command."""
    if not _texts(args.get("argv")):
        yield 'args.argv must be a list of text, such as ["/usr/bin/rsync", "-a", "/home", "/backup"]'
    env = args.get("env", {})
    if not isinstance(env, Mapping) or not all(isinstance(value, str) for value in env.values()):
        yield 'args.env must map names to text, such as { RESTIC_REPOSITORY = "/backup" }'
    elif any(not name or "=" in str(name) for name in env):
        yield "args.env has a name that no variable can have: it is empty, or has a = in it"
    inherit = args.get("inherit", [])
    if inherit is not True and inherit != [] and not _texts(inherit):
        yield 'args.inherit must be a list of names, such as ["SSH_AUTH_SOCK"], or true for every variable of the node'
    for name in ("cwd", "stdin"):
        if not isinstance(args.get(name, ""), str):
            yield f"args.{name} must be text"


def _texts(value: object) -> list[str]:
    """Return a list of texts; empty for anything else."""
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        return []
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _environment(run: RunContext, args: Mapping[str, Json]) -> dict[str, str]:
    inherit, env = args.get("inherit"), args.get("env")
    named = _texts(inherit)
    passed = {
        name: value
        for name, value in os.environ.items()
        if inherit is True or name in named or PASSED.fullmatch(name) is not None
    }
    return {
        **passed,
        **({name: str(value) for name, value in env.items()} if isinstance(env, dict) else {}),
        "TRIOARM_RUN_ID": run.id,
        "TRIOARM_SCHEDULE": run.schedule,
        "TRIOARM_NOMINAL_AT": render_instant(instant(run.nominal_at)),
        "TRIOARM_DUE_AT": render_instant(instant(run.due_at)),
        "TRIOARM_ATTEMPT": str(run.attempt),
        "TRIOARM_TOKEN": str(run.token),
        "TRIOARM_ARGS": json.dumps(args),
    }
