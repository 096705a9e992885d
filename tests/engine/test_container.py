"""The container: one of each component, made on demand, replaced before it is used."""

from __future__ import annotations

import pytest

from trioarm import Container, ContainerError, SchedulerConfig, ScheduleRepository, scheduler_components
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.recorder import Recorder
from trioarm.engine.scheduler import Scheduler


class Disk:
    """Needs nothing."""


class Store:
    """Needs a disk."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk


def a_container() -> Container:
    """Return a container of a store and its disk."""
    container = Container()
    container.register(Store, lambda c: Store(c.get(Disk)))
    container.register(Disk, lambda _: Disk())
    return container


def test_a_component_is_made_once_after_what_it_needs() -> None:
    """`built` is the order to start in."""
    container = a_container()
    assert container.built == ()
    store = container.get(Store)
    assert container.get(Store) is store
    assert store.disk is container.get(Disk)
    assert container.built == (store.disk, store)


def test_what_is_not_registered_cannot_be_asked_for() -> None:
    """The message says what to do."""
    with pytest.raises(ContainerError, match=r"^no Disk is registered: register\(\) one$"):
        Container().get(Disk)
    assert not Container().has(Disk)
    assert a_container().has(Disk)


def test_nothing_is_registered_twice_by_mistake() -> None:
    """Replacing is said with another word."""
    with pytest.raises(ContainerError, match=r"^Disk is registered already: replace it with override\(\)$"):
        a_container().register(Disk, lambda _: Disk())


def test_components_that_need_each_other_are_named_in_order() -> None:
    """A circle is a mistake of whoever wired it; afterwards the rest still works."""
    container = a_container()
    container.override(Disk, lambda c: c.get(Store).disk)
    with pytest.raises(ContainerError, match=r"^components need each other in a circle: Store -> Disk -> Store$"):
        container.get(Store)
    container.override(Disk, lambda _: Disk())
    assert container.get(Store).disk is container.get(Disk)


def test_a_component_is_replaced_before_it_is_made_or_not_at_all() -> None:
    """Whoever holds the old one would not notice."""
    container, disk = a_container(), Disk()
    container.override(Disk, lambda _: disk)
    assert container.get(Store).disk is disk
    with pytest.raises(ContainerError, match=r"^Disk is in use already: override it before the node starts"):
        container.override(Disk, lambda _: Disk())


def test_a_factory_that_fails_leaves_nothing_behind() -> None:
    """It is asked again the next time."""
    container, ready = Container(), []

    def make(_: Container) -> Disk:
        if not ready:
            raise OSError("not mounted")
        return Disk()

    container.register(Disk, make)
    with pytest.raises(OSError, match="not mounted"):
        container.get(Disk)
    ready.append(True)
    assert isinstance(container.get(Disk), Disk)


def test_a_node_is_made_of_one_of_each() -> None:
    """Engine and recorder are made after the repository they work on."""
    container = scheduler_components(SchedulerConfig())
    assert container.built == ()
    container.get(Scheduler)
    container.get(Recorder)
    built = list(container.built)
    repository = built.index(container.get(ScheduleRepository))
    for kind in (SchedulingEngine, Recorder):
        assert repository < built.index(container.get(kind))
    assert len(built) == len({type(component) for component in built})
