"""The fixture `world` for pytest: load it with `pytest_plugins = ["trioarm.testing.fixtures"]` in conftest.py.

An async test that asks for it runs in virtual time, in a world of its own: by itself where pytest knows nothing of
trio, by pytest-trio where that would have run it anyway. Nothing else in trioarm imports pytest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import partial, wraps
from inspect import iscoroutinefunction

import pytest
import trio
from trio.testing import MockClock

from trioarm.testing.world import World


@pytest.fixture
def world() -> World:
    """Return a world for this test, in which nothing has happened; it begins and ends with the test."""
    return World()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run an async test that asked for a world in it."""
    if isinstance(item, pytest.Function) and iscoroutinefunction(item.obj):
        found = next((value for value in item.funcargs.values() if isinstance(value, World)), None)
        if found is not None and _is_run_by_pytest_trio(item):
            item.add_marker(pytest.mark.trio(run=partial(_run, found)), append=False)
        elif found is not None:
            item.obj = _in_world(found, item.obj)
    yield


def _is_run_by_pytest_trio(item: pytest.Item) -> bool:
    return item.config.pluginmanager.hasplugin("trio") and item.get_closest_marker("trio") is not None


def _in_world(world: World, test: Callable[..., Awaitable[object]]) -> Callable[..., None]:
    @wraps(test)
    def run(**arguments: object) -> None:
        __tracebackhide__ = True
        _run(world, partial(test, **arguments))

    return run


def _run(
    world: World,
    main: Callable[[], Awaitable[object]],
    *,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> None:
    """Run a test in a world: what `trio.run` is to pytest-trio.

    Args:
        clock: one that the test asked for, such as `autojump_clock`; else one that jumps by itself.
    """
    __tracebackhide__ = True

    async def in_world() -> None:
        __tracebackhide__ = True
        async with world.alive():
            await main()

    trio.run(in_world, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)
