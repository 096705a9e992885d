"""`python -m benchmarks.peers`: how fast the next occurrence is found, beside every library that can be installed.

Each library runs in an environment of its own, made in a temporary folder; what is shown is answers a second, the
median of five rounds in which all take turns.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import venv
from pathlib import Path
from statistics import median

from benchmarks import next_after
from benchmarks.floors.questions import KINDS

PEERS = {
    "cronsim": ("cronsim", "tzdata"),
    "croniter": ("croniter", "tzdata"),
    "dateutil": ("python-dateutil", "tzdata"),
    "apscheduler": ("apscheduler<4", "tzdata"),
}
ROUNDS = 5
N = 200
SCRIPT = Path(__file__).parent / "floors" / "questions.py"


def prepare(folder: Path, requirements: tuple[str, ...]) -> Path:
    """Make an environment, and return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], check=True
    )
    return python


def ask(python: Path, library: str) -> dict[str, float]:
    """Return what a library reaches, measured in its own environment."""
    done = subprocess.run([python, SCRIPT, library, str(N)], check=True, capture_output=True, text=True)
    reached: dict[str, float] = json.loads(done.stdout)
    return reached


def main() -> None:
    """Measure all, and print a table."""
    with tempfile.TemporaryDirectory() as root:
        pythons = {peer: prepare(Path(root) / peer, needs) for peer, needs in PEERS.items()}
        rounds: dict[str, list[dict[str, float]]] = {"trioarm": [], **{peer: [] for peer in PEERS}}
        for _ in range(ROUNDS):
            rounds["trioarm"].append(next_after.measure(N))
            for peer, python in pythons.items():
                rounds[peer].append(ask(python, peer))
    print(f"{'1/s':<18}" + "".join(f"{library:>13}" for library in rounds))
    for kind in KINDS:
        cells = [_cell([one[kind] for one in taken if kind in one]) for taken in rounds.values()]
        print(f"{kind:<18}" + "".join(f"{cell:>13}" for cell in cells))


def _cell(reached: list[float]) -> str:
    return f"{median(reached):,.0f}" if reached else "-"


if __name__ == "__main__":
    main()
