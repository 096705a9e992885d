"""How a benchmark is measured: floor and subject in pairs, one after the other, each in a fresh process.

A shared machine drifts by 10-20 % within minutes, so two numbers taken minutes apart say nothing. Here the
two sides of a pair run back to back, every second pair in the opposite order, and the ratio is the median
of the ratios of the pairs. A fresh process keeps the garbage, caches and freed memory of one side out of
the other.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import TypeAlias, assert_never

import attrs

Measurement: TypeAlias = Mapping[str, float]
"""The value of each figure of a benchmark, by the figure's name and in the figure's unit."""

Side: TypeAlias = Callable[[int], Measurement]
"""Does the work of size n once and measures it. A function of a module: it is sent to another process."""


@attrs.frozen
class OfFloor:
    """At least this share of what the floor reached on the same machine in the same run."""

    share: float


@attrs.frozen
class AtLeast:
    """At least this value, in the unit of the figure."""

    value: float


@attrs.frozen
class AtMost:
    """At most this value, in the unit of the figure."""

    value: float


Target: TypeAlias = OfFloor | AtLeast | AtMost


@attrs.frozen
class Figure:
    """One number that a benchmark yields, and what it must reach; without a target it is only shown."""

    name: str
    unit: str
    target: Target | None = None


@attrs.frozen
class Benchmark:
    """One kind of work, done by both sides.

    Args:
        n: size of the work; what it counts is said by the module of the benchmark.
        n_once: a size that takes well under a second, for proving that the benchmark still runs.
        pairs: how often both sides are measured.
        subject: the side of trioarm; `None` until it exists.
    """

    name: str
    figures: tuple[Figure, ...]
    n: int
    n_once: int
    pairs: int
    floor: Side
    subject: Side | None = None


@attrs.frozen
class Comparison:
    """What one figure came to: medians over the pairs, and the ratio of subject to floor in each pair.

    A spread of the ratios wider than the distance to the target means that the machine was too busy to tell.
    """

    figure: Figure
    floor: float
    subject: float | None
    ratios: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        """The median ratio; `None` without a subject, or where the floor is zero."""
        return median(self.ratios) if self.ratios else None

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; `None` without a target, a subject, or a ratio that means something."""
        target = self.figure.target
        if target is None or self.subject is None:
            return None
        match target:
            case OfFloor(share=share):
                return None if self.ratio is None else self.ratio >= share
            case AtLeast(value=value):
                return self.subject >= value
            case AtMost(value=value):
                return self.subject <= value
            case _:
                assert_never(target)


def rate(n: int, elapsed_s: float) -> float:
    """Return how many of `n` fit into one second."""
    return n / elapsed_s


def compare(benchmark: Benchmark, n: int, pairs: int) -> list[Comparison]:
    """Measure both sides of a benchmark `pairs` times, in alternating order, and sum up each figure."""
    floors: list[Measurement] = []
    subjects: list[Measurement] = []
    sides = [(benchmark.floor, floors)]
    if benchmark.subject is not None:
        sides.append((benchmark.subject, subjects))
    for _ in range(pairs):
        for side, taken in sides:
            taken.append(apart(side, n))
        sides.reverse()
    return [_sum_up(figure, floors, subjects) for figure in benchmark.figures]


def apart(side: Side, n: int) -> Measurement:
    """Run one side in a process of its own; what it raises is raised here."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(side, n).result()


def _sum_up(figure: Figure, floors: Sequence[Measurement], subjects: Sequence[Measurement]) -> Comparison:
    floor = [taken[figure.name] for taken in floors]
    subject = [taken[figure.name] for taken in subjects]
    if not subject:
        return Comparison(figure, median(floor), None)
    # A floor of zero (no wake-ups) has no multiple; such a figure is judged by its own value.
    ratios = tuple(s / f for s, f in zip(subject, floor, strict=True)) if all(floor) else ()
    return Comparison(figure, median(floor), median(subject), ratios)
