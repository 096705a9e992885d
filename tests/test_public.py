"""The front door: what can be imported, and what it says of itself."""

from __future__ import annotations

import inspect
import typing
from types import ModuleType

import pytest

import trioarm
import trioarm.testing

MODULES = [trioarm, trioarm.testing]


def _importable(module: ModuleType) -> set[str]:
    """Return the names somebody would find: no modules, nothing private, no artefacts of importing."""
    return {
        name
        for name, value in vars(module).items()
        if not inspect.ismodule(value) and not name.startswith("_") and name != "annotations"
    }


@pytest.mark.parametrize(("module", "more"), [(trioarm, {"__version__"}), (trioarm.testing, set())])
def test_all_is_what_can_be_imported(module: ModuleType, more: set[str]) -> None:
    """`__all__` neither promises what is not there nor hides what is."""
    assert set(module.__all__) == _importable(module) | more


@pytest.mark.parametrize("module", MODULES)
def test_all_is_sorted_and_says_nothing_twice(module: ModuleType) -> None:
    """One name, one place."""
    assert module.__all__ == sorted(set(module.__all__))


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in MODULES for name in sorted(_importable(module))]
)
def test_every_public_name_says_what_it_is(module: ModuleType, name: str) -> None:
    """Classes and functions have docstrings of their own, and so have their public methods."""
    value = getattr(module, name)
    if typing.get_origin(value) is not None or not (inspect.isclass(value) or inspect.isroutine(value)):
        return  # an alias of a type says it where it is used
    doc = inspect.getdoc(value)
    assert doc
    assert doc != inspect.getdoc(object)
    for method, function in vars(value).items() if inspect.isclass(value) else ():
        if inspect.isfunction(function) and not method.startswith("_"):
            assert inspect.getdoc(function), f"{name}.{method}"


def test_the_version_is_one() -> None:
    """What the package says of itself is what was released."""
    assert trioarm.__version__.count(".") == 2
