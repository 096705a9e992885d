"""The registry: a stable name for every handler, because a stored schedule can only name one (S2.6)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, cast

from trioarm.core.errors import HandlerRefused
from trioarm.core.schedule import HANDLER_LENGTH_MAX
from trioarm.engine.attempt import Handler

Handlers: TypeAlias = "Mapping[str, Handler] | Iterable[Handler]"


def register(handlers: Handlers) -> dict[str, Handler]:
    """Return handlers by name.

    Args:
        handlers: a mapping of names to async callables, or async callables that are named `module:qualname`.

    Raises:
        HandlerRefused: one is not async, or has no name that would mean the same after a restart.
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


def _checked(name: object, handler: object) -> Handler:
    if not isinstance(name, str) or not 0 < len(name) <= HANDLER_LENGTH_MAX:
        raise HandlerRefused(f"handler name {name!r}: it must be text of 1 to {HANDLER_LENGTH_MAX} characters")
    if not callable(handler):
        raise HandlerRefused(f"handler {name!r}: {handler!r} cannot be called")
    if inspect.isasyncgenfunction(handler):
        raise HandlerRefused(f"handler {name!r} is an async generator: it must return, not yield")
    called = handler if inspect.isroutine(handler) else type(handler).__call__
    target = getattr(handler, "func", called)  # functools.partial
    if not inspect.iscoroutinefunction(target):
        raise HandlerRefused(f"handler {name!r} is not async: write 'async def', and use trio inside, not asyncio")
    return cast(Handler, handler)
