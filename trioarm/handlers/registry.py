"""The registry: a stable name for every handler, because a stored schedule can only name one (S2.6)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from trioarm.core.errors import HandlerRefused
from trioarm.core.schedule import HANDLER_LENGTH_MAX

Function: TypeAlias = Callable[..., Any]
Handlers: TypeAlias = "Mapping[str, Function] | Iterable[Function]"


def register(handlers: Handlers) -> dict[str, Function]:
    """Return handlers by name, as they are; what they ask for is given to them by `injection`.

    Args:
        handlers: a mapping of names to functions, async or plain, or functions that are named `module:qualname`.

    Raises:
        HandlerRefused: one cannot be called, or has no name that would mean the same after a restart.
    """
    if isinstance(handlers, Mapping):
        return {name: _checked(name, handler) for name, handler in handlers.items()}
    return {handler_name(handler): _checked(handler_name(handler), handler) for handler in handlers}


def handler_name(handler: Callable[..., object]) -> str:
    """Return the name a callable is registered under: `module:qualname`.

    Raises:
        HandlerRefused: it has none that would mean the same after a restart.
    """
    module = getattr(handler, "__module__", None)
    qualname = getattr(handler, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise HandlerRefused(f"{handler!r} has no name: register it as handlers={{'name': handler}}")
    if "<lambda>" in qualname or "<locals>" in qualname:
        kind = "a lambda" if "<lambda>" in qualname else "defined inside a function"
        raise HandlerRefused(
            f"{module}:{qualname} is {kind}, so its name would not find it after a restart: "
            "register it as handlers={'name': handler}"
        )
    return f"{module}:{qualname}"


def _checked(name: object, handler: object) -> Function:
    if not isinstance(name, str) or not 0 < len(name) <= HANDLER_LENGTH_MAX:
        raise HandlerRefused(f"handler name {name!r}: it must be text of 1 to {HANDLER_LENGTH_MAX} characters")
    if not callable(handler):
        raise HandlerRefused(f"handler {name!r}: {handler!r} cannot be called")
    if isinstance(handler, type):
        raise HandlerRefused(f"handler {name!r} is a class: register an object of it, or a method")
    called = handler if inspect.isroutine(handler) else type(handler).__call__
    target = getattr(handler, "func", called)  # functools.partial
    if inspect.isasyncgenfunction(target) or inspect.isgeneratorfunction(target):
        raise HandlerRefused(f"handler {name!r} is a generator: it must return, not yield")
    return handler
