"""The container: one place where every component of a node is made, can be replaced, and is known by its type.

No scanning, no decorators, no globals: a factory per type, called once, in the order in which components need each
other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, cast

from trioarm.core.errors import TrioarmError

T = TypeVar("T")


class ContainerError(TrioarmError):
    """A component was asked for that cannot be made: not registered, needing itself, or replaced too late."""


class Container:
    """Components by type.

    A factory gets the container and asks it for what it needs. Components are made when first asked for, and `built`
    lists them in that order, which is the order to start them in; stopping goes the other way round.
    """

    def __init__(self) -> None:
        self._factories: dict[type[Any], Callable[[Container], object]] = {}
        self._made: dict[type[Any], object] = {}
        self._making: list[type[Any]] = []
        self._per_run: dict[type[Any], Callable[[Container], AbstractAsyncContextManager[object]]] = {}

    def register(self, kind: type[T], factory: Callable[[Container], T]) -> None:
        """Say how the component of a type is made.

        Raises:
            ContainerError: one is registered already; replacing it on purpose is `override`.
        """
        if kind in self._factories:
            raise ContainerError(f"{kind.__name__} is registered already: replace it with override()")
        self._refuse_both(kind, self._per_run)
        self._factories[kind] = factory

    def per_run(self, kind: type[T], factory: Callable[[Container], AbstractAsyncContextManager[T]]) -> None:
        """Say how each attempt gets a component of its own, entered before its handler is called and left after.

        Said again, it replaces what was said before.

        Raises:
            ContainerError: there is one for the whole node.
        """
        self._refuse_both(kind, self._factories)
        self._per_run[kind] = factory

    def is_per_run(self, kind: type[Any]) -> bool:
        """Whether each attempt has a component of that type of its own."""
        return kind in self._per_run

    def open_one(self, kind: type[Any]) -> AbstractAsyncContextManager[Any]:
        """Return what makes a component of that type for one attempt."""
        return self._per_run[kind](self)

    def _refuse_both(self, kind: type[Any], others: Collection[type[Any]]) -> None:
        if kind in others:
            raise ContainerError(f"{kind.__name__} is registered already: one for the node, or one per run, not both")

    def override(self, kind: type[T], factory: Callable[[Container], T]) -> None:
        """Replace how a component is made, registered or not.

        Raises:
            ContainerError: it has been made already, so others hold the old one.
        """
        if kind in self._made:
            raise ContainerError(f"{kind.__name__} is in use already: override it before the node starts")
        self._factories[kind] = factory

    def get(self, kind: type[T]) -> T:
        """Return the component of a type, made now if it was not yet.

        Raises:
            ContainerError: it is not registered, or needs itself.
        """
        if kind not in self._made:
            self._make(kind)
        return cast(T, self._made[kind])

    def _make(self, kind: type[Any]) -> None:
        factory = self._factories.get(kind)
        if kind in self._per_run:
            raise ContainerError(f"{kind.__name__} is made per run: only a handler can ask for it")
        if factory is None:
            raise ContainerError(f"no {kind.__name__} is registered: register() one")
        if kind in self._making:
            chain = " -> ".join(item.__name__ for item in (*self._making, kind))
            raise ContainerError(f"components need each other in a circle: {chain}")
        self._making.append(kind)
        try:
            self._made[kind] = factory(self)
        finally:
            self._making.pop()

    def has(self, kind: type[Any]) -> bool:
        """Whether a component of that type is registered."""
        return kind in self._factories

    @property
    def built(self) -> tuple[object, ...]:
        """The components made so far, each after those it needs."""
        return tuple(self._made.values())
