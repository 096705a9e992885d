"""`trioarm completion`: a script that lets a shell complete commands and options."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from trioarm.cli.app import load, make_app
from trioarm.cli.exits import Exit
from trioarm.cli.terminal import say


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL", help="For which shell.")], /
) -> Exit:
    """Print a script that completes commands and options.

    For example:

    - `trioarm completion bash > ~/.local/share/bash-completion/completions/trioarm`
    - `trioarm completion fish > ~/.config/fish/completions/trioarm.fish`
    """
    app = make_app()
    load(app)
    say(app.generate_completion(prog_name="trioarm", shell=shell).rstrip("\n"))
    return Exit.CLEAN
