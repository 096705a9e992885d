"""Injection: a handler of any signature becomes a callable that takes the run alone.

What it asks for is found out once, when a node is made: the run, components by their type, a nursery, and by their
names the arguments of the run. A handler that takes just the run is left as it is and costs nothing; one that could
never be called stops the node at its start, in one line.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import attrs
import trio

from trioarm.core.errors import HandlerRefused
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard
from trioarm.engine.attempt import Handler, RunContext
from trioarm.engine.threaded import run_in_thread
from trioarm.handlers.wishes import Source, Wish, wishes_of

NAMED_MAX: Final = 5  # arguments that do not fit, named in one line; the rest is counted

InThread: TypeAlias = Callable[[RunContext, Callable[[], object]], Awaitable[object]]


class Supply(Protocol):
    """Where components come from; the container of a node is one."""

    def has(self, kind: type[Any]) -> bool:
        """Whether there is a component of that type."""

    def get(self, kind: type[Any]) -> Any:
        """Return the component of a type."""

    def is_per_run(self, kind: type[Any]) -> bool:
        """Whether each attempt has a component of that type of its own."""

    def open_one(self, kind: type[Any]) -> AbstractAsyncContextManager[Any]:
        """Return what makes a component of that type for one attempt."""


class Injection:
    """Binds handlers to the components of a node.

    Args:
        supply: of components.
        in_thread: calls plain functions.
    """

    def __init__(self, supply: Supply, in_thread: InThread = run_in_thread) -> None:
        self._supply = supply
        self._in_thread = in_thread
        self._bound: list[_Bound] = []

    def bind(self, handlers: Mapping[str, Callable[..., object]]) -> dict[str, Handler]:
        """Return handlers that take the run alone.

        Raises:
            HandlerRefused: one asks for what nobody can give it.
        """
        return {name: self._bind(name, handler) for name, handler in handlers.items()}

    def _bind(self, name: str, handler: Callable[..., object]) -> Handler:
        wishes = wishes_of(name, handler, self._supply)
        if not is_async(handler):
            if any(wish.source is Source.NURSERY for wish in wishes):
                raise HandlerRefused(f"handler {name!r} is a plain function, and asks for a nursery: write 'async def'")
            call: Callable[..., Awaitable[object]] = partial(_call_in_thread, self._in_thread, handler)
        elif [(wish.source, wish.keyword) for wish in wishes] == [(Source.RUN, False)]:
            return handler  # type: ignore[return-value]  # it is what it says
        else:
            call = partial(_call_in_loop, handler)
        bound = _Bound(name, call, wishes, self._supply)
        self._bound.append(bound)
        return bound

    def fill(self) -> None:
        """Give handlers the components they ask for, once there are all of them: some know what calls handlers.

        Raises:
            ContainerError: one cannot be made.
        """
        for bound in self._bound:
            for wish in bound.wishes:
                if wish.source is Source.COMPONENT and wish.kind is not None:
                    bound.components[wish.name] = self._supply.get(wish.kind)


def is_async(handler: Callable[..., object]) -> bool:
    """Whether calling a handler gives something to be awaited."""
    while isinstance(handler, partial):
        handler = handler.func
    called = handler if inspect.isroutine(handler) else type(handler).__call__
    return inspect.iscoroutinefunction(called)


async def _call_in_loop(
    handler: Callable[..., Any], run: RunContext, first: list[object], named: dict[str, object]
) -> object:
    return await handler(*first, **named)


async def _call_in_thread(
    in_thread: InThread,
    handler: Callable[..., object],
    run: RunContext,
    first: list[object],
    named: dict[str, object],
) -> object:
    return await in_thread(run, partial(handler, *first, **named))


@attrs.define(slots=True, eq=False)
class _Bound:
    """A handler, and what it is called with.

    Args:
        name: it is registered under.
        call: calls it with the run, what is given by position, and what is given by name.
        wishes: what it asks for.
        supply: of components.
        components: those that last as long as the node, by parameter.
    """

    name: str
    call: Callable[..., Awaitable[object]]
    wishes: tuple[Wish, ...]
    supply: Supply
    components: dict[str, object] = attrs.field(factory=dict, init=False)

    async def __call__(self, run: RunContext) -> object:
        """Call the handler with all it asks for; what lasts as long as the attempt is left when it has ended.

        Returns:
            what it returned; None where its nursery was cancelled, or what was opened for it swallowed its error.
        """
        values: dict[str, object] = {**self._arguments(run), **self.components}
        async with AsyncExitStack() as stack:
            for wish in self.wishes:
                if wish.source is Source.RUN:
                    values[wish.name] = run
                elif wish.source is Source.PER_RUN and wish.kind is not None:
                    values[wish.name] = await stack.enter_async_context(self.supply.open_one(wish.kind))
            for wish in self.wishes:
                if wish.source is Source.NURSERY:  # last, so that its tasks may use all the rest to their end
                    values[wish.name] = await stack.enter_async_context(trio.open_nursery())
            first = [values.pop(wish.name) for wish in self.wishes if not wish.keyword]
            return await self.call(run, first, values)

    def _arguments(self, run: RunContext) -> dict[str, Json]:
        """Return arguments of the run by parameter.

        Raises:
            Discard: they do not fit the handler: trying again would not change that.
        """
        asked = {wish.name: wish for wish in self.wishes if wish.source is Source.ARGUMENT}
        rest = any(wish.source is Source.REST for wish in self.wishes)
        if not asked and not rest:
            return {}
        args, others = run.args, {wish.name for wish in self.wishes} - asked.keys()
        missing = [name for name, wish in asked.items() if wish.required and name not in args]
        unexpected = [name for name in args if name in others or not (rest or name in asked)]
        if missing or unexpected:
            said = (("missing", missing), ("unexpected", unexpected))
            told = [f"{what} {_named(names)}" for what, names in said if names]
            raise Discard(f"the args do not fit handler {self.name!r}: {', '.join(told)}")
        return args


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(map(repr, names[:NAMED_MAX])) + more
