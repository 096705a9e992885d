"""Schedules that run programs: their arguments are checked with the file, and what programs said can be read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.programs import started
from trioarm.cli.app import main

WRONG = """
[[schedule]]
name = "nothing"
handler = "command"
every = "1h"
[[schedule]]
name = "words"
handler = "command"
every = "1h"
args = { argv = "echo hello", env = { LANG = 1 }, cwd = 3 }
[[schedule]]
name = "right"
handler = "command"
every = "1h"
args = { argv = ["/bin/true"], env = { LANG = "C" }, inherit = ["SSH_AUTH_SOCK"], cwd = "/", stdin = "", to = 1 }
[[schedule]]
name = "other"
handler = "log"
every = "1h"
args = { argv = "of something else" }
"""


def test_check_tells_what_is_wrong_with_the_arguments_of_commands(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A line for each, with its schedule, and exit code 2; arguments that a program alone understands are its own."""
    path = tmp_path / "scheduler.toml"
    path.write_text(WRONG)
    assert main(["check", "--config", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" must ")[0].rpartition('schedule "')[2] for line in lines] == [
        'nothing".args.argv',
        'words".args.argv',
        'words".args.env',
        'words".args.cwd',
    ]
    assert lines[0].endswith('args.argv must be a list of text, such as ["/usr/bin/rsync", "-a", "/home", "/backup"]')


async def test_what_a_failed_program_said_is_shown_line_by_line(tmp_path: Path) -> None:
    """With nothing in it that would steer a terminal."""
    code = r"printf 'one\n\033[2Jtwo (quoted)\n\nlast\n'; exit 7"
    (tmp_path / "scheduler.toml").write_text(
        f"""
        [[schedule]]
        name = "fails"
        handler = "command"
        args = {{ argv = ["/bin/sh", "-c", '''{code}'''] }}
        once = "{datetime.now(UTC).isoformat()}"
        retry = {{ max_retries = 0 }}
        """
    )
    async with started(tmp_path, ("-m", "trioarm", "run", "--until-idle")) as program:
        assert await program.end() == (0, "")
    [row] = [line for line in program.lines if "fails  failed" in line]
    assert "/bin/sh ended with 7: last" in row
    async with started(tmp_path, ("-m", "trioarm", "runs", "list")) as program:
        assert await program.end() == (0, "")
    [run_id] = {word for line in program.lines for word in line.split() if word.startswith("fails@")}
    async with started(tmp_path, ("-m", "trioarm", "runs", "show", run_id)) as program:
        assert await program.end() == (0, "")
    begin = next(number for number, line in enumerate(program.lines) if line.strip().startswith("result"))
    shown = [line[12:].strip() for line in program.lines[begin : begin + 4]]
    assert shown == ["one", r"\x1b[2Jtwo (quoted)", "", "last"]
