"""Handlers with workers of their own: what can be said of them, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.config import SchedulerConfig, unknown_handlers


def test_a_handler_may_have_workers_of_its_own(tmp_path: Path) -> None:
    """Those that are not named share the workers of the executor."""
    assert SchedulerConfig().workers == {}
    text = '[handler.command]\nworkers = 1\n[handler."app.jobs:report"]\nworkers = 20\n'
    assert config_of(tmp_path, text).workers == {"command": 1, "app.jobs:report": 20}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[handler.command]\n", "handler.command.workers: is missing: say how many, such as workers = 1"),
        ("[handler.command]\nworkers = 0\n", "handler.command.workers: 0 is outside 1 to 1000"),
        ("[handler.command]\nworkers = 1.5\n", "handler.command.workers: 1.5 is no whole number: write it like 5"),
        ("[handler.command]\nworker = 1\n", "handler.command.worker: unknown key; did you mean workers?"),
        ("[handler.arm]\nworkers = 1\n", 'handler.arm: "arm" has workers of its own already: set arming.workers'),
        (
            '[handler."trioarm/prune"]\nworkers = 1\n',
            'handler.trioarm/prune: "trioarm/prune" is a handler of the node itself, with workers of its own',
        ),
        ("handler = 3\n", "handler: 3 is no table: write it like { key = value }"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, line: str) -> None:
    """What is wrong is said with its path, its value and what would be right."""
    assert line in problems_of(tmp_path, text)


def test_a_handler_that_nobody_registers_is_a_mistake(tmp_path: Path) -> None:
    """As one that a schedule names: with a suggestion."""
    config = config_of(tmp_path, "[handler.comand]\nworkers = 1\n")
    assert unknown_handlers(config, ["command", "log"]) == ('handler: "comand" is unknown; did you mean command?',)
