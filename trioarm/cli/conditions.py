"""`trioarm conditions list`: what each condition says now, and why where nobody can tell (A4.5)."""

from __future__ import annotations

from typing import assert_never

from trioarm.arming.conditions.settings import (
    CommandCondition,
    Condition,
    HomeAssistantCondition,
    MqttCondition,
    PartitionCondition,
)
from trioarm.arming.conditions.verdict import Answer, Truth
from trioarm.arming.installation import Installation
from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.stored import with_panels
from trioarm.cli.terminal import Style, remark, say_json
from trioarm.container import Container


def list_(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """List conditions: whom each asks, what it says now, and what was seen, or why nobody can tell.

    All are asked anew, at once, each within its limit. A topic with a max_age tells nothing that was retained.

    For example:

    - `trioarm conditions list`
    - `trioarm conditions list --json`
    """

    async def work(container: Container) -> Exit:
        installation = container.get(Installation)
        answers = await installation.conditions.ask_all()
        columns = Columns("NAME", "ASKS", "SAYS", "WHY")
        for name, answer in answers.items():
            asked = _asked(installation.premises.conditions[name])
            if json:
                say_json({"name": name, "asks": asked, "says": answer.truth.value, "why": answer.why})
            else:
                columns.add((name, asked, answer.truth.value, answer.why), _style(answer))
        columns.flush()
        if not answers:
            remark('no condition is configured: write [condition.everybody_out] with kind = "mqtt", for one')
        return Exit.CLEAN

    return with_panels(config, store, work)


def _asked(condition: Condition) -> str:
    match condition:
        case PartitionCondition():
            return f"partition {condition.partition}"
        case CommandCondition():
            return f"command {condition.run[0]}"
        case MqttCondition():
            return f"mqtt {condition.broker}: {condition.topic}"
        case HomeAssistantCondition():
            return f"homeassistant {condition.instance}: {condition.entity}"
        case _:
            assert_never(condition)


def _style(answer: Answer) -> Style | None:
    return Style.NOTICE if answer.truth is Truth.UNKNOWN else None
