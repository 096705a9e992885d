"""With log.format = "json" every line is one object, from the first to the last, whatever goes wrong."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.programs import started

RUN = ("-m", "trioarm", "run")
JSON = ("--set", "log.format=json")
JUST_NOW = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
LEVELS = {"debug", "info", "warning", "error", "critical"}


def objects(lines: list[str]) -> list[dict[str, object]]:
    """Return lines as the objects they are; each says when, how important, who and what."""
    rows = [json.loads(line) for line in lines]
    for row in rows:
        assert str(row["at"]).endswith("Z")
        assert datetime.fromisoformat(row["at"]).utcoffset() == timedelta()
        assert row["level"] in LEVELS
        assert row["logger"]
        assert isinstance(row["message"], str)
        assert row["message"]
    return rows


BUSY = f"""
[log]
format = "json"
[site.home]
timezone = "Europe/Prague"
[partition.house]
site = "home"
panel = {{ exit_delay = "200ms" }}
[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
once = "{JUST_NOW}"
[[schedule]]
name = "lines"
handler = "log"
args = {{ message = '''two
lines, "quotes", \\\\ and žluťoučký kůň''' }}
once = "{JUST_NOW}"
[[schedule]]
name = "broken"
handler = "command"
args = {{ argv = ["/bin/sh", "-c", "echo no disk; exit 7"] }}
once = "{JUST_NOW}"
retry = {{ max_retries = 1, base = "1ms" }}
[[schedule]]
name = "missing"
handler = "command"
args = {{ argv = ["/no/such/program"] }}
once = "{JUST_NOW}"
[[schedule]]
name = "nap"
handler = "command"
args = {{ argv = ["/bin/sleep", "60"] }}
once = "{JUST_NOW}"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
async def test_a_whole_run_is_objects(encoding: str, tmp_path: Path) -> None:
    """Starting, arming, failing, reloading well and badly, stopping and cancelling: one object a line, stderr empty."""
    file = tmp_path / "scheduler.toml"
    file.write_text(BUSY.replace(JUST_NOW, datetime.now(UTC).isoformat()), encoding="utf-8")
    environ = {"PYTHONIOENCODING": encoding, "NOTIFY_SOCKET": "/no/such/socket"}
    settings = ("--set", "features.debug=true", "--set", "log.level=debug", "--set", "scheduler.max_concurrent=9")
    async with started(tmp_path, (*RUN, *settings), environ) as program:
        await program.line_with("broken  failed")
        await program.line_with("night/house  succeeded")
        file.write_text(BUSY + "[executor]\ntimeout = 9\n", encoding="utf-8")
        program.process.send_signal(signal.SIGHUP)
        await program.line_with("executor.timeout is 9s now")
        file.write_text("=")
        program.process.send_signal(signal.SIGHUP)
        await program.line_with("is not TOML")
        program.process.send_signal(signal.SIGTERM)
        await program.line_with("SIGTERM: stopping")
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (3, "")
    rows = objects(program.lines)
    messages = [str(row["message"]) for row in rows]
    assert 'two\nlines, "quotes", \\\\ and žluťoučký kůň' in messages
    assert {"warning", "error", "info", "debug"} <= {str(row["level"]) for row in rows}
    [changed] = [row for row in rows if row.get("key")]
    assert (changed["key"], changed["before"], changed["after"]) == ("executor.timeout", "5m", "9s")


@pytest.mark.parametrize("where", ["command line", "file", "local", "environment"])
async def test_errors_at_the_start_are_objects(where: str, tmp_path: Path) -> None:
    """A configuration that cannot be used is told as JSON where the log would have been, whoever asked for it."""
    chosen = "[log]\nformat = 'json'\n"
    bad = "[scheduler]\ndrain = -1\ncheck_intervall = 5\n[[schedule]]\nname = 'a'\nhandler = 'lgo'\nevery = '1s'\n"
    text = bad + chosen * (where == "file")
    if where == "environment":
        text += "[environment.prod.log]\nformat = 'json'\n"
    (tmp_path / "scheduler.toml").write_text(text)
    if where == "local":
        (tmp_path / "scheduler.local.toml").write_text(chosen)
    environ = {"SCHEDULER_ENV": "prod"} if where == "environment" else {}
    async with started(tmp_path, (*RUN, *JSON[: 2 * (where == "command line")]), environ) as program:
        code, errors = await program.end()
    assert (code, program.lines) == (2, [])
    rows = objects(errors.splitlines())
    assert len(rows) == 3
    assert {row["level"] for row in rows} == {"error"}
    assert any("did you mean check_interval?" in str(row["message"]) for row in rows)


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        (None, ()),
        ("=", ()),
        ("", ("--for", "soon")),
        ("", ("--store", "postgresql://me:hush@db/x")),
    ],
)
async def test_a_start_that_fails_otherwise_is_an_object_too(
    content: str | None, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """No file, no TOML, a misused option or a store that there is not: one object, exit code 2, no password."""
    if content is not None:
        (tmp_path / "scheduler.toml").write_text(content)
    async with started(tmp_path, (*RUN, *JSON, *arguments)) as program:
        code, errors = await program.end()
    assert (code, program.lines) == (2, [])
    [row] = objects(errors.splitlines())
    assert "hush" not in str(row)


CRASH = """
import logging, warnings
from trioarm import Once, Schedule, SchedulerConfig
from trioarm.cli.node import Until
from trioarm.cli.run import run_node
from trioarm.config import LogSettings
from trioarm.core.instants import parse_instant

async def talks(run):
    warnings.warn("old")
    logging.getLogger("library").warning("theirs")

one = Schedule("one", Once(parse_instant("NOW")), handler="talks")
config = SchedulerConfig(log=LogSettings(format="json"), schedules=(one,))
run_node(config, Until(idle=True), {"talks": talks})
raise SystemError("our own mistake")
"""


async def test_libraries_warnings_and_crashes_are_objects(tmp_path: Path) -> None:
    """What libraries log and warn of, and a mistake of our own that ends the process, are lines of the log."""
    (tmp_path / "crash.py").write_text(CRASH.replace("NOW", JUST_NOW))
    async with started(tmp_path, ("crash.py",)) as program:
        assert await program.end() == (1, "")
    rows = objects(program.lines)
    told = {str(row["logger"]): row for row in rows}
    assert told["library"]["message"] == "theirs"
    assert "old" in str(told["py.warnings"]["message"])
    assert rows[-1]["message"] == "crashed: our own mistake"
    assert rows[-1]["level"] == "critical"
    assert "SystemError" in str(rows[-1]["exception"])


HANDLERS = """
import logging, sys, trio
from trioarm import SchedulerConfig, RunContext
from trioarm.cli.node import Until
from trioarm.cli.run import run_node

log = logging.getLogger("somebody.else")

async def child():
    log.info("from a child")

async def loud(run: RunContext, nursery: trio.Nursery):
    log.info("from the handler")
    nursery.start_soon(child)

def plain():
    log.info("from a thread")

logging.getLogger().setLevel(logging.INFO)
config = SchedulerConfig.from_file("scheduler.toml", overrides={"log.format": sys.argv[1]})
sys.exit(run_node(config, Until(idle=True), {"loud": loud, "plain": plain}))
"""


@pytest.mark.parametrize("form", ["json", "console"])
async def test_what_a_handler_logs_names_its_run(form: str, tmp_path: Path) -> None:
    """In whichever library, task or thread; what is no handler's own names none."""
    began = datetime.now(UTC).isoformat()
    (tmp_path / "scheduler.toml").write_text(
        "".join(f'[[schedule]]\nname = "{name}"\nhandler = "{name}"\nonce = "{began}"\n' for name in ("loud", "plain"))
    )
    (tmp_path / "handlers.py").write_text(HANDLERS)
    async with started(tmp_path, ("handlers.py", form)) as program:
        assert await program.end() == (0, "")
    said = {"from the handler": "loud", "from a child": "loud", "from a thread": "plain"}
    for text, schedule in said.items():
        [line] = [line for line in program.lines if text in line]
        if form == "json":
            [row] = objects([line])
            assert str(row["run"]).startswith(f"{schedule}@")
        else:
            assert f"{text}  ({schedule}@" in line
    [other] = [line for line in program.lines if "started: 2 schedules" in line]
    assert "@" not in other
