"""`trioarm init`: writes a scheduler.toml to start from."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from trioarm.cli.configuration import config_path
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import ConfigFile
from trioarm.cli.terminal import say
from trioarm.config import default_toml


def init(
    *,
    config: ConfigFile = None,
    force: Annotated[bool, Parameter(help="Replace the file if there is one.")] = False,
) -> Exit:
    """Write a commented scheduler.toml that runs as it stands.

    For example:

    - `trioarm init`
    - `trioarm init --config night.toml`
    - `trioarm init --force`
    """
    path = config_path(config)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(default_toml())
    except FileExistsError:
        raise UsageError(f"{path}: is there already: name another with --config, or replace it with --force") from None
    say(f"wrote {path}: now try `trioarm check`, `trioarm preview`, and `trioarm run`")
    return Exit.CLEAN
