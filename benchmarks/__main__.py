"""The runner: `python -m benchmarks [--json] [--once] [NAME...]`.

Prints one plain table, or with `--json` one line of JSON per figure as soon as it is known. The exit code
tells whether the benchmarks ran, not whether targets were met: a number from a busy machine is to be read,
not obeyed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence

from benchmarks import (
    adding,
    day,
    dispatch,
    durable,
    failing,
    footprint,
    idle,
    keeping,
    lateness,
    next_after,
    preview,
    restart,
    year,
)
from benchmarks.measure import AtLeast, AtMost, Benchmark, Comparison, OfFloor, compare

BENCHMARKS: tuple[Benchmark, ...] = (
    dispatch.BENCHMARK,
    durable.BENCHMARK,
    restart.BENCHMARK,
    adding.BENCHMARK,
    footprint.BENCHMARK,
    idle.BENCHMARK,
    lateness.BENCHMARK,
    year.BENCHMARK,
    day.BENCHMARK,
    failing.BENCHMARK,
    next_after.BENCHMARK,
    preview.BENCHMARK,
    keeping.BENCHMARK,
)

HEADINGS = ("work", "unit", "trioarm", "floor", "ratio", "target", "verdict")


def main(arguments: Sequence[str]) -> int:
    """Run the named benchmarks, or all of them, and print what they came to."""
    options = _parse(arguments)
    chosen = [b for b in BENCHMARKS if not options.names or b.name in options.names]
    results = _run(chosen, once=options.once)
    if options.json:
        for benchmark, result in results:
            print(_json_line(benchmark, result, once=options.once), flush=True)
    else:
        print(_table([_row(result, once=options.once) for _, result in results]))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure trioarm beside its floor.")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per figure")
    parser.add_argument("--once", action="store_true", help="one tiny iteration of each, to prove that they run")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"which to run, of: {', '.join(names)}")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(names)}")
    return options


def _run(chosen: Sequence[Benchmark], *, once: bool) -> Iterator[tuple[Benchmark, Comparison]]:
    for benchmark in chosen:
        n, pairs = (benchmark.n_once, 1) if once else (benchmark.n, benchmark.pairs)
        for result in compare(benchmark, n, pairs):
            yield benchmark, result


def _row(result: Comparison, *, once: bool) -> tuple[str, ...]:
    figure = result.figure
    return (
        figure.name,
        figure.unit,
        _number(result.subject),
        _number(result.floor),
        _number(result.ratio),
        _target(result),
        _verdict(result, once=once),
    )


def _json_line(benchmark: Benchmark, result: Comparison, *, once: bool) -> str:
    return json.dumps(
        {
            "benchmark": benchmark.name,
            "figure": result.figure.name,
            "unit": result.figure.unit,
            "n": benchmark.n_once if once else benchmark.n,
            "pairs": 1 if once else benchmark.pairs,
            "subject": result.subject,
            "floor": result.floor,
            "ratio": result.ratio,
            "ratios": result.ratios,
            "target": _target(result),
            "verdict": _verdict(result, once=once),
        }
    )


def _verdict(result: Comparison, *, once: bool) -> str:
    if result.subject is None:
        return "no subject yet"
    if once:
        return "ran"
    match result.reached:
        case True:
            return "ok"
        case False:
            return "below"
        case None:
            return "-"


def _target(result: Comparison) -> str:
    match result.figure.target:
        case OfFloor(share=share):
            return f">= {share:g} of floor"
        case AtLeast(value=value):
            return f">= {_number(value)}"
        case AtMost(value=value):
            return f"<= {_number(value)}"
        case None:
            return "-"


def _number(value: float | None) -> str:
    """Return three figures that matter: 112,345 and 350, but 0.81 and 1.5."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out rows under the headings: words to the left, numbers to the right."""
    lines = [HEADINGS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    numeric = {"trioarm", "floor", "ratio"}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if heading in numeric else cell.ljust(width)
            for heading, cell, width in zip(HEADINGS, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
