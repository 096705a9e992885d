"""What a reader may count on: examples use public names alone, say how they are run, and are in the wheel."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import trioarm
import trioarm.examples
import trioarm.testing

FOLDER = Path(str(files("trioarm"))) / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
CI = (Path(__file__).parents[2] / ".ci" / "run").read_text(encoding="utf-8")
PUBLIC = {"trioarm": set(trioarm.__all__), "trioarm.testing": set(trioarm.testing.__all__)}


def used(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what a program takes of trioarm, as module and name."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == "trioarm":
                yield from ((module, alias.name) for alias in names)
            case ast.Import(names=names):
                yield from ((alias.name, "*") for alias in names if alias.name.startswith("trioarm."))
            case ast.Attribute(value=ast.Name(id="trioarm"), attr=name):
                yield "trioarm", name


@pytest.mark.parametrize("name", NAMES)
def test_examples_use_public_names_and_say_how_they_are_run(name: str) -> None:
    """Whoever copies one depends on nothing that may change without a word."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    taken = set(used(tree))
    assert taken
    assert {(module, each) for module, each in taken if each not in PUBLIC.get(module, ())} == set()
    assert f"python -m trioarm.examples.{name}" in (ast.get_docstring(tree) or "")
    assert f"\n{name} " in str(trioarm.examples.__doc__)


def test_the_wheel_is_asked_for_every_example() -> None:
    """One that is added here has to be looked for there."""
    shipped = {path.name for path in FOLDER.iterdir() if path.is_file() and path.stem != "__init__"}
    assert len(shipped) > 8
    assert {name for name in shipped if f'"examples/{name}"' not in CI} == set()
