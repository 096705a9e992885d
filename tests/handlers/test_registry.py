"""Which callables can be handlers, and under which name (S2.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest

from trioarm import HandlerRefused, RunContext
from trioarm.handlers.registry import handler_name, register


async def report(run: RunContext) -> None:
    """Do nothing."""


def synchronous(run: RunContext) -> None:
    """Do nothing."""


async def generates(run: RunContext) -> AsyncIterator[int]:
    """Yield."""
    yield 1


async def with_options(where: str, run: RunContext) -> str:
    """Return what it was made with."""
    return where


class Mailer:
    """A handler that is an object."""

    async def __call__(self, run: RunContext) -> None:
        """Do nothing."""

    async def send(self, run: RunContext) -> None:
        """Do nothing."""


def yields(run: RunContext) -> Iterator[int]:
    """Yield."""
    yield 1


class Printer:
    """A handler that is an object, and a plain one."""

    def __call__(self, run: RunContext) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    "handler",
    [
        *(report, partial(with_options, "there"), partial(partial(with_options), "there"), Mailer(), Mailer().send),
        *(synchronous, partial(synchronous), Printer(), lambda run: None),
    ],
)
def test_anything_that_can_be_called_is_a_handler_under_a_name(handler: Any) -> None:
    """With a name given, functions, partials, methods and objects all do, async or plain."""
    assert register({"mail": handler}) == {"mail": handler}


def test_a_function_of_a_module_is_named_after_it() -> None:
    """`module:qualname` means the same after a restart."""
    assert handler_name(report) == f"{__name__}:report"
    assert register([report]) == {f"{__name__}:report": report}
    assert list(register([Mailer.send])) == [f"{__name__}:Mailer.send"]


def _nested() -> Any:
    async def inner(run: RunContext) -> None:
        pass

    return inner


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (
            lambda run: report(run),
            "is a lambda, so its name would not find it after a restart: register it as handlers=",
        ),
        (_nested(), "is defined inside a function, so its name would not find it after a restart"),
        (partial(with_options, "there"), r"has no name: register it as handlers=\{'name': handler\}"),
        (Mailer(), "has no name"),
    ],
)
def test_what_has_no_lasting_name_must_be_given_one(handler: Any, why: str) -> None:
    """A stored schedule can only name a handler, and the name must find it again."""
    with pytest.raises(HandlerRefused, match=why):
        register([handler])


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (Mailer, "handler 'mail' is a class: register an object of it, or a method"),
        (generates, "handler 'mail' is a generator: it must return, not yield"),
        (partial(generates), "is a generator"),
        (yields, "is a generator"),
        (partial(yields), "is a generator"),
        ("report", "handler 'mail': 'report' cannot be called"),
        (None, "cannot be called"),
    ],
)
def test_what_could_never_run_is_refused_at_once(handler: Any, why: str) -> None:
    """At registration, not at two in the morning."""
    with pytest.raises(HandlerRefused, match=why):
        register({"mail": handler})


@pytest.mark.parametrize("name", ["", "x" * 256, 3])
def test_a_name_is_text_of_bounded_length(name: Any) -> None:
    """It is stored with every schedule."""
    with pytest.raises(HandlerRefused, match="it must be text of 1 to 255 characters"):
        register({name: report})
