"""An alarm panel as a program, which panels of kind `command` set and read: it is kept in a file, and wants a code."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

REJECTED: Final = 10
BLOCKED: Final = 11


def command(panel: dict[str, Any], target: str, code: bytes) -> int:
    """Change the panel as it is told, if it may be, and return the exit code."""
    if code.decode().removesuffix("\n") != panel["code"]:
        print("the panel refuses the code", file=sys.stderr)
        return REJECTED
    if panel["zones"] and target != "disarmed":
        print(*panel["zones"], sep="\n")
        return BLOCKED
    delay = 0 if target == "disarmed" else panel["exit_delay"]
    panel |= {"target": target, "by": os.environ["TRIOARM_BY"], "at": time.time() + delay, "restarted": False}
    return 0


def report(panel: dict[str, Any]) -> str:
    """Return what the panel is now."""
    if panel["nonsense"] is not None:
        return str(panel["nonsense"])
    restarted = panel.get("restarted", False)
    found = {"changed_by": panel["by"], "open_zones": panel["zones"], "restarted": restarted}
    if time.time() < panel["at"]:
        return json.dumps({"state": "arming", "toward": panel["target"], **found})
    return json.dumps({"state": panel["target"], **found})


def main(file: Path, verb: str, target: str = "") -> int:
    """Do what a command panel asks for."""
    panel = json.loads(file.read_text(encoding="utf-8"))
    if panel["silent"]:
        signal.pause()
    if verb == "state":
        print(report(panel))
        return 0
    code = command(panel, target, sys.stdin.buffer.read())
    keep(file, panel)
    return code


def keep(file: Path, panel: dict[str, Any]) -> None:
    """Write the panel so that nobody reads half of it."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(panel), encoding="utf-8")
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
