"""Terminals and pipes: colours, and readers that go away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.programs import DEADLINE_S, environment

BAD = '[[schedule]]\nname = "a"\nhandler = "log"\nevery = "now"\n'


def on_a_terminal(folder: Path, environ: Mapping[str, str]) -> str:
    """Return what `trioarm check` writes when stderr is a terminal."""
    ours, theirs = os.openpty()
    try:
        process = subprocess.run(
            [sys.executable, "-m", "trioarm", "check"],
            cwd=folder,
            stderr=theirs,
            env=environment({"TERM": "xterm", **environ}),
            timeout=DEADLINE_S,
            check=False,
        )
        assert process.returncode == 2
        return os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_that_want_them(tmp_path: Path, environ: Mapping[str, str], coloured: bool) -> None:
    """On a terminal the word error is red, but not with NO_COLOR, nor where TERM is dumb."""
    (tmp_path / "scheduler.toml").write_text(BAD)
    text = on_a_terminal(tmp_path, environ)
    assert ("\033[31merror:\033[0m" in text) is coloured
    assert ("\033" in text) is coloured


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """`trioarm preview --json | head -1` prints one line and no complaint."""
    (tmp_path / "scheduler.toml").write_text(BAD.replace("now", "1s"))
    process = subprocess.Popen(
        [sys.executable, "-m", "trioarm", "preview", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert process.stdout.readline().startswith(b'{"schedule": "a"')
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 141
