"""What a handler may ask for beside its run, and what becomes of one that asks for what there is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.engine.nodes import NEVER_AGAIN, a_config, at, keeping, once, rows_of
from tests.world import a_node, in_virtual_time
from trioarm import (
    Container,
    Discard,
    HandlerRefused,
    InMemoryScheduleRepository,
    Reason,
    RunContext,
    Schedule,
    Scheduler,
    State,
    open_scheduler,
    scheduler_components,
)
from trioarm.core.run import RunRecord
from trioarm.core.triggers import Once
from trioarm.engine.ports import Clock
from trioarm.handlers.injection import Injection

if TYPE_CHECKING:
    from pathlib import Path


class Mailer:
    """A component of the program's own."""

    def __init__(self) -> None:
        self.sent: list[object] = []


class Session:
    """A component that each attempt has of its own."""

    def __init__(self) -> None:
        self.ended_by: str | None = None


SEEN: list[Any] = []
MANY = "missing 'to', 'lines', unexpected 'a', 'b', 'c', 'd', 'e' and 3 more"


async def nothing() -> None:
    SEEN.append("called")


async def by_type(mailer: Mailer, run: RunContext, clock: Clock) -> None:
    mailer.sent.append((run.schedule, clock.now()))


async def by_name(run: RunContext, to: str, subject: str = "no subject", *, lines: list[str] | None = None) -> None:
    SEEN.append((run.schedule, to, subject, lines))


async def arguments_alone(to: str, lines: list[str]) -> None:
    SEEN.append((to, lines))


async def rest(run: RunContext, mailer: Mailer, **options: Any) -> None:
    SEEN.append((type(mailer), options))


async def unannotated(run, to):  # type: ignore[no-untyped-def]
    SEEN.append((run.schedule, to))


async def first_of_any(*args: Any, **kwargs: Any) -> None:
    SEEN.append((type(args[0]), len(args), kwargs))


async def positional(run: RunContext, mailer: Mailer, /, to: str) -> None:
    SEEN.append((run.schedule, type(mailer), to))


async def first_for_checkers_alone(run: Path, to: str) -> None:
    SEEN.append((type(run), to))


def plain(run: RunContext, mailer: Mailer, to: str) -> str:
    return f"{type(mailer).__name__} {to} {run.attempt}"


async def with_default(run: RunContext, session: Session = Session()) -> None:  # noqa: B008
    SEEN.append(type(session))


class Report:
    """A handler that is an object."""

    async def __call__(self, mailer: Mailer, run: RunContext) -> None:
        mailer.sent.append(run.schedule)


def supply() -> Container:
    """Return a container of a mailer."""
    container = scheduler_components(a_config())
    container.register(Mailer, lambda _: Mailer())
    return container


def runs_of(
    handler: Callable[..., Any],
    args: dict[str, Any] | None = None,
    components: Callable[[Container], None] | None = None,
    **policies: Any,
) -> RunRecord:
    """Return what becomes of a run of a handler with these arguments, and see that the node goes on."""

    async def main() -> RunRecord:
        repository = InMemoryScheduleRepository()
        async with a_node(
            {"work": handler, "next": nothing}, a_config(), store=keeping(repository), components=components
        ) as (scheduler, _):
            policies.setdefault("retry", NEVER_AGAIN)
            await scheduler.schedules.put(once("one", args=args or {}, **policies))
            await scheduler.schedules.put(once("next", 500, handler="next"))
            await trio.sleep(600)
            [run] = await rows_of(repository, once())
            [following] = await rows_of(repository, once("next"))
            assert following.state is State.SUCCEEDED
            return run

    SEEN.clear()
    run: RunRecord = in_virtual_time(main)
    assert SEEN.pop() == "called"
    return run


def with_mailer(container: Container) -> None:
    """Register a mailer."""
    container.register(Mailer, lambda _: Mailer())


def test_a_handler_that_takes_just_the_run_is_left_as_it_is() -> None:
    """What nearly all handlers are costs nothing more than it did."""

    async def work(run: RunContext) -> None: ...

    async def unnamed(anything) -> None: ...  # type: ignore[no-untyped-def]

    assert Injection(supply()).bind({"a": work, "b": unnamed}) == {"a": work, "b": unnamed}


def test_a_handler_needs_no_parameters() -> None:
    """It may not care for its run."""
    assert runs_of(nothing, {"ignored": 1}).state is State.SUCCEEDED
    assert SEEN == ["called"]


def test_components_are_given_by_type() -> None:
    """Wherever the parameter stands, and whatever it is called; one and the same for all runs."""
    mailer = Mailer()
    run = runs_of(by_type, components=lambda container: container.register(Mailer, lambda _: mailer))
    assert (run.state, mailer.sent) == (State.SUCCEEDED, [("one", at(10))])
    runs_of(Report(), components=lambda container: container.register(Mailer, lambda _: mailer))
    assert mailer.sent[1:] == ["one"]


def test_a_handler_may_ask_for_the_scheduler_that_calls_it() -> None:
    """Components that know what calls handlers are given, too: they are asked for once all are made."""

    async def work(run: RunContext, scheduler: Scheduler) -> str:
        return (await scheduler.schedules.get(run.schedule)).name

    work.__annotations__["scheduler"] = Scheduler
    assert runs_of(work).result == "one"


@pytest.mark.parametrize(
    ("handler", "args", "seen"),
    [
        (by_name, {"to": "all"}, ("one", "all", "no subject", None)),
        (by_name, {"to": "all", "subject": "s", "lines": ["a"]}, ("one", "all", "s", ["a"])),
        (arguments_alone, {"to": "all", "lines": []}, ("all", [])),
        (rest, {"a": 1, "b": [2]}, (Mailer, {"a": 1, "b": [2]})),
        (unannotated, {"to": 3}, ("one", 3)),
        (first_of_any, {}, (RunContext, 1, {})),
        (positional, {"to": "x"}, ("one", Mailer, "x")),
        (first_for_checkers_alone, {"to": "x"}, (RunContext, "x")),
        (partial(by_name, subject="fixed"), {"to": "all"}, ("one", "all", "fixed", None)),
        (with_default, {}, Session),
    ],
)
def test_arguments_are_given_by_name(handler: Callable[..., Any], args: dict[str, Any], seen: object) -> None:
    """What the schedule says becomes parameters; defaults stand for what it does not say."""
    assert runs_of(handler, args, with_mailer).state is State.SUCCEEDED
    assert seen == SEEN[0]


@pytest.mark.parametrize(
    ("handler", "args", "why"),
    [
        (by_name, {}, "missing 'to'"),
        (by_name, {"two": "all"}, "missing 'to', unexpected 'two'"),
        (by_name, {"to": "all", "cc": 1, "bcc": 2}, "unexpected 'cc', 'bcc'"),
        (rest, {"mailer": "mine"}, "unexpected 'mailer'"),
        (plain, {"to": "all", "run": 1}, "unexpected 'run'"),
        (
            arguments_alone,
            dict.fromkeys("abcdefgh", 1),
            "missing 'to', 'lines', unexpected 'a', 'b', 'c', 'd', 'e' and 3 more",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_discarded(handler: Callable[..., Any], args: dict[str, Any], why: str) -> None:
    """The handler is not called, trying again would change nothing, and the run says what is missing or unexpected."""
    run = runs_of(handler, args, with_mailer, retry=None)
    assert (run.state, run.reason, run.attempt) == (State.FAILED, Reason.DISCARDED, 1)
    assert run.error == f"the args do not fit handler 'work': {why}"
    assert SEEN == []


class Unknown:
    """Registered by nobody."""


async def asks_for_the_unknown(run: RunContext, unknown: Unknown) -> None: ...


async def asks_for_what_is_not_there(run: RunContext, where: Path) -> None: ...


async def asks_by_position(run: RunContext, to: str, /) -> None: ...


def asks_for_a_nursery(run: RunContext, nursery: trio.Nursery) -> None: ...


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (
            asks_for_the_unknown,
            "handler 'work': parameter 'unknown' asks for a Unknown, which is no component of the container, and no "
            r"argument can be one: container.register\(Unknown, ...\)",
        ),
        (asks_for_what_is_not_there, "handler 'work': what parameter 'where' is, nobody knows: name 'Path' is not"),
        (asks_by_position, "parameter 'to' is positional only, but args have names"),
        (asks_for_a_nursery, "is a plain function, and asks for a nursery: write 'async def'"),
    ],
)
async def test_who_asks_for_what_nobody_can_give_stops_the_node_at_its_start(handler: Any, why: str) -> None:
    """In one line, not at two in the morning; nothing has been opened by then."""
    with pytest.raises(HandlerRefused, match=why) as refused:
        async with open_scheduler(handlers={"work": handler}):
            raise AssertionError("it must not start")
    assert "\n" not in str(refused.value)


# A component for each attempt


def sessions(made: list[Session]) -> Callable[[Container], None]:
    """Return what registers a session for each attempt, and remembers those that were made."""

    @asynccontextmanager
    async def session(_: Container) -> AsyncIterator[Session]:
        made.append(Session())
        try:
            yield made[-1]
        except BaseException as error:
            made[-1].ended_by = type(error).__name__
            raise
        else:
            made[-1].ended_by = "return"

    return lambda container: container.per_run(Session, session)


async def in_session(run: RunContext, session: Session) -> str:
    assert session.ended_by is None
    if run.attempt == 1:
        raise OSError("no route")
    if run.attempt == 2:
        await trio.sleep_forever()
    return "done"


def test_each_attempt_enters_and_leaves_a_component_of_its_own() -> None:
    """Whether it returns, fails or runs into its deadline."""
    made: list[Session] = []
    run = runs_of(in_session, components=sessions(made), timeout_s=5, retry=None)
    assert (run.state, run.result, run.attempt) == (State.SUCCEEDED, "done", 3)
    assert [session.ended_by for session in made] == ["OSError", "Cancelled", "return"]


def test_what_cannot_be_entered_fails_the_run() -> None:
    """As if the handler had; the next run tries again."""

    @asynccontextmanager
    async def broken(_: Container) -> AsyncIterator[Session]:
        raise ConnectionError("no database")
        yield Session()

    run = runs_of(in_session, components=lambda container: container.per_run(Session, broken))
    assert (run.state, run.reason, run.error) == (State.FAILED, Reason.ERROR, "ConnectionError: no database")


# A nursery in the scope of the attempt


async def _note_end(what: str) -> None:
    try:
        await trio.sleep_forever()
    finally:
        SEEN.append(what)


async def leaves_children(nursery: trio.Nursery, then: str) -> str:
    nursery.start_soon(_note_end, "first")
    nursery.start_soon(_note_end, "second")
    await trio.lowlevel.checkpoint()
    match then:
        case "fail":
            raise Discard("that was all")
        case "cancel":
            nursery.cancel_scope.cancel()
    return "returned"


@pytest.mark.parametrize(
    ("then", "state", "text"),
    [
        ("hang", State.TIMED_OUT, "handler 'work' took longer than its timeout of 5 s"),
        ("fail", State.FAILED, "that was all"),
        ("cancel", State.SUCCEEDED, None),
    ],
)
def test_children_end_with_the_attempt(then: str, state: State, text: str | None) -> None:
    """Whatever ends it: no task of it is left behind, and what it raised counts as its own."""
    run = runs_of(leaves_children, {"then": then}, timeout_s=5)
    assert (run.state, run.error) == (state, text)
    assert sorted(SEEN) == ["first", "second"]
    assert run.result == ("returned" if state is State.SUCCEEDED else None)


async def fails_in_a_child(nursery: trio.Nursery) -> None:
    async def fails() -> None:
        raise OSError("no route")

    nursery.start_soon(fails)
    await trio.sleep_forever()


def test_a_child_that_fails_fails_the_run() -> None:
    """Its error is the run's."""
    run = runs_of(fails_in_a_child)
    assert (run.state, run.error) == (State.FAILED, "OSError: no route")


async def test_plain_functions_are_given_the_same() -> None:
    """Components and arguments, in their thread."""
    container = scheduler_components(a_config(), {"work": plain})
    with_mailer(container)
    with trio.fail_after(30):
        async with open_scheduler(container=container) as scheduler:
            await scheduler.schedules.put(Schedule("one", Once(at(0)), handler="work", args={"to": "all"}))
            fired = await scheduler.runs.fire("one")
            assert (await scheduler.runs.wait(fired.id)).result == "Mailer all 1"
