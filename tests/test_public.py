"""The front door: what can be imported, and what it says of itself."""

from __future__ import annotations

import inspect
import typing

import pytest

import trioarm


def _importable() -> set[str]:
    """Return the names somebody would find: no modules, nothing private, no artefacts of importing."""
    return {
        name
        for name, value in vars(trioarm).items()
        if not inspect.ismodule(value) and not name.startswith("_") and name != "annotations"
    }


def test_all_is_what_can_be_imported() -> None:
    """`__all__` neither promises what is not there nor hides what is."""
    assert set(trioarm.__all__) == _importable() | {"__version__"}


def test_all_is_sorted_and_says_nothing_twice() -> None:
    """One name, one place."""
    assert trioarm.__all__ == sorted(set(trioarm.__all__))


@pytest.mark.parametrize("name", sorted(_importable()))
def test_every_public_name_says_what_it_is(name: str) -> None:
    """Classes and functions have docstrings of their own, and so have their public methods."""
    value = getattr(trioarm, name)
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
