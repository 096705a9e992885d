"""Commands that people guess: each is refused by one line that names the right one."""

from __future__ import annotations

import pytest

from trioarm.cli.app import ALL, main
from trioarm.cli.exits import Exit
from trioarm.cli.guessing import OTHERWISE, guesses

MEANT = [
    ("config check", "did you mean trioarm check?"),
    ("config validate", "did you mean trioarm check?"),
    ("config get scheduler.store", "did you mean trioarm config show?"),
    ("start", "did you mean trioarm run?"),
    ("stop", "did you mean trioarm help exit-codes?"),
    ("validate --json", "did you mean trioarm check?"),
    ("version", "did you mean trioarm --version?"),
    ("statsu", "did you mean trioarm status?"),
    ("arm house", "did you mean trioarm partitions arm?"),
    ("list", "did you mean trioarm schedules list, trioarm runs list or trioarm partitions list?"),
    ("schedule list", "did you mean trioarm schedules list?"),
    ("schedule", "did you mean trioarm schedules?"),
    ("schedules create night", "did you mean trioarm schedules add?"),
    ("run list", "did you mean trioarm runs list? See trioarm run --help."),
    ("vacation", "did you mean trioarm exceptions add?"),
    ("frobnicate", "see trioarm --help"),
    ("x" * 500, "xxx...: see trioarm --help"),
    ("check everything", 'check does not know what to do with "everything". See trioarm check --help.'),
    ("schedules show", "error: NAME is missing. See trioarm schedules show --help."),
    ("exceptions add skip", "error: --on is missing. See trioarm exceptions add --help."),
    ("run --for", "error: --for needs a value. See trioarm run --help."),
    ("runs list --sinc 2h", 'there is no option "--sinc": did you mean --since? See trioarm runs list --help.'),
    ("partitions hold house --for 2h", 'there is no option "--for". See trioarm partitions hold --help.'),
    ("runs list --every", "See trioarm runs list --help."),
]


@pytest.mark.parametrize(("line", "end"), MEANT, ids=[line[:30] for line, _ in MEANT])
def test_what_people_guess_is_refused_with_the_right_one(
    line: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, which is not longer than a terminal is for what is long; nothing is carried out."""
    assert main(line.split()) == Exit.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    [said] = told.err.splitlines()
    assert said.startswith("error: ")
    assert len(said) < 120
    assert said.endswith(end)


@pytest.mark.parametrize("word", sorted(OTHERWISE))
def test_what_is_said_otherwise_leads_to_commands_that_there_are(word: str) -> None:
    """No guess is one that would be refused as well, and none of our own words is taken for another."""
    found = guesses([word], ALL)
    assert found
    assert {command.split()[0] for command in found} <= {command.split()[0] for command in ALL} | {"--version"}
    assert word not in {command.split()[-1] for command in ALL} - {"test"}  # notify test is said with its group
