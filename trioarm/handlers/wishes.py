"""Wishes: what each parameter of a handler asks for, read from its signature."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from types import NoneType
from typing import Any, Final, Protocol, is_typeddict

import attrs
import trio

from trioarm.core.errors import HandlerRefused
from trioarm.engine.attempt import RunContext

# What an argument may be said to be; anything that is no class, such as `list[str] | None`, may be one as well.
_ARGUMENTS: Final = frozenset({bool, int, float, str, list, dict, tuple, NoneType, Mapping, Sequence})
_ANYTHING: Final = (inspect.Parameter.empty, object, Any)
_BY_POSITION: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)


class Source(Enum):
    """Where the value of a parameter comes from."""

    RUN = auto()
    NURSERY = auto()
    COMPONENT = auto()
    PER_RUN = auto()
    ARGUMENT = auto()
    REST = auto()  # every argument that no other parameter asks for


class Known(Protocol):
    """Which components there are."""

    def has(self, kind: type[Any]) -> bool:
        """Whether there is a component of that type."""

    def is_per_run(self, kind: type[Any]) -> bool:
        """Whether each attempt has a component of that type of its own."""


@attrs.frozen(slots=True)
class Wish:
    """What one parameter asks for.

    Args:
        name: of the parameter.
        source: where its value comes from.
        kind: the type of a component.
        required: whether it has no default.
        keyword: whether it is given by name, not by position.
    """

    name: str
    source: Source
    kind: type[Any] | None = None
    required: bool = True
    keyword: bool = True


class _Unreadable:
    """Stands for an annotation that names what is not there."""

    def __init__(self, why: str) -> None:
        self.why = why


def wishes_of(name: str, handler: Callable[..., object], known: Known) -> tuple[Wish, ...]:
    """Return what a handler asks for, in the order of its parameters.

    Args:
        name: it is registered under, for messages.
        handler: anything that can be called.
        known: the components there are.

    Raises:
        HandlerRefused: a parameter asks for what nobody can give.
    """
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError):  # it is written in C, and does not say what it takes
        return (Wish("run", Source.RUN, keyword=False),)
    names = _names_around(handler)
    annotations = [_annotation(parameter, names) for parameter in parameters]
    first_is_run = not any(_is_run(annotation) for annotation in annotations)
    wishes: list[Wish] = []
    for index, (parameter, annotation) in enumerate(zip(parameters, annotations, strict=True)):
        if _is_run(annotation) or (index == 0 and first_is_run and _may_be_run(parameter, annotation)):
            wishes.append(Wish(parameter.name, Source.RUN, keyword=_is_keyword(parameter, index)))
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            wish = _wish(name, parameter, annotation, known)
            if wish is not None:
                wishes.append(wish)
    return tuple(wishes)


def _is_keyword(parameter: inspect.Parameter, index: int) -> bool:
    """Whether the run is given by name: first of all parameters it is not, as in any call of a plain handler."""
    return index > 0 or parameter.kind is inspect.Parameter.KEYWORD_ONLY


def _is_run(annotation: object) -> bool:
    return annotation is RunContext


def _may_be_run(parameter: inspect.Parameter, annotation: object) -> bool:
    """Whether a first parameter takes the run though it does not say so."""
    if parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
        return False
    return annotation in _ANYTHING or isinstance(annotation, _Unreadable)


def _wish(name: str, parameter: inspect.Parameter, annotation: object, known: Known) -> Wish | None:
    """Return what a parameter asks for; None where its default is all it wants."""
    required = parameter.default is inspect.Parameter.empty
    keyword = parameter.kind not in _BY_POSITION
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return Wish(parameter.name, Source.REST)
    if isinstance(annotation, _Unreadable):
        raise HandlerRefused(f"handler {name!r}: what parameter {parameter.name!r} is, nobody knows: {annotation.why}")
    if annotation is trio.Nursery:
        return Wish(parameter.name, Source.NURSERY, keyword=keyword)
    if isinstance(annotation, type):
        if known.is_per_run(annotation):
            return Wish(parameter.name, Source.PER_RUN, annotation, keyword=keyword)
        if known.has(annotation):
            return Wish(parameter.name, Source.COMPONENT, annotation, keyword=keyword)
        if not _may_be_argument(annotation):
            if required or not keyword:
                raise HandlerRefused(_unknown(name, parameter, annotation))
            return None
    if not keyword:
        raise HandlerRefused(f"handler {name!r}: parameter {parameter.name!r} is positional only, but args have names")
    return Wish(parameter.name, Source.ARGUMENT, required=required)


def _unknown(name: str, parameter: inspect.Parameter, kind: type[Any]) -> str:
    return (
        f"handler {name!r}: parameter {parameter.name!r} asks for a {kind.__qualname__}, which is no component of the "
        f"container, and no argument can be one: container.register({kind.__name__}, ...)"
    )


def _may_be_argument(annotation: type[Any]) -> bool:
    return annotation in _ARGUMENTS or annotation in _ANYTHING or is_typeddict(annotation)


def _names_around(handler: Callable[..., object]) -> dict[str, object]:
    """Return what names mean where a handler was written."""
    while isinstance(handler, partial):
        handler = handler.func
    called = handler if inspect.isroutine(handler) else type(handler).__call__
    return dict(getattr(inspect.unwrap(called), "__globals__", vars(builtins)))


def _annotation(parameter: inspect.Parameter, names: dict[str, object]) -> object:
    """Return an annotation; those of a module with `from __future__ import annotations` are text, and read here."""
    text = parameter.annotation
    if not isinstance(text, str):
        return text
    try:
        return eval(text, names)  # as Python itself would have done, where the handler was written
    except (NameError, AttributeError, TypeError, SyntaxError) as error:  # such as what is imported for checkers alone
        return _Unreadable(str(error))
