"""The page on the guarantee ships with the package, and says what is so: states, rules, tests, figures that fit."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.planted import PLANTED, Planted
from trioarm.core.states import NEVER_RAN, TABLE, State, Step

PAGE: Final = (files("trioarm") / "docs" / "guarantee.md").read_text(encoding="utf-8")
REPOSITORY: Final = Path(__file__).parents[2]


def diagram() -> str:
    """Return the table of states as a diagram, in the language of Mermaid; `held` is what a worker has."""
    held = TABLE[State.CLAIMED].items() & TABLE[State.RUNNING].items()
    own = {state: dict(row.items() - held) for state, row in TABLE.items()}
    begins = [f"    [*] --> {state}" for state in State if state is State.PENDING or state in NEVER_RAN]
    inside = [f"    {way}" for state in (State.CLAIMED, State.RUNNING) for way in ways(state, own[state])]
    ends = [f"    {state} --> [*]" for state in State if not TABLE[state]]
    waiting = ways(State.PENDING, own[State.PENDING])
    return "\n".join(
        ["stateDiagram-v2", *begins, "    state held {", *inside, "    }", *waiting, *ways("held", dict(held)), *ends]
    )


def ways(before: str, row: dict[Step, State]) -> list[str]:
    """Return the ways that lead out of a state, one for each where they lead to."""
    steps = {after: [step for step in Step if row.get(step) is after] for after in State}
    return [f"    {before} --> {after}: {', '.join(some)}" for after, some in steps.items() if some]


def test_the_diagram_is_that_of_the_table() -> None:
    """Whoever changes the table finds here what the page has to show."""
    [drawn] = re.findall(r"```mermaid\n(.*?)\n```", PAGE, re.DOTALL)
    assert drawn == diagram()


@pytest.mark.parametrize("fault", PLANTED.values(), ids=list(PLANTED))
def test_each_planted_fault_is_in_its_table(fault: Planted) -> None:
    """With the rule that it breaks, which is promised above."""
    assert re.search(rf"^\| {fault.rule} \| {re.escape(fault.what)} \|", PAGE, re.MULTILINE)
    assert re.search(rf"^\| {fault.rule} \| \*\*", PAGE, re.MULTILINE)


def test_no_other_fault_is_in_its_table() -> None:
    """One that is no longer planted is no longer shown."""
    assert len(re.findall(r"^\| S\d\.\d+ \| [^*]", PAGE, re.MULTILINE)) == len(PLANTED)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE))))
def test_what_it_names_is_there(path: str) -> None:
    """Files and folders of tests."""
    assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m (tests[\w.]+)", PAGE))))
def test_what_it_has_run_can_be_run(module: str) -> None:
    """Commands by which anybody gets figures of their own."""
    place = REPOSITORY / module.replace(".", "/")
    assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
