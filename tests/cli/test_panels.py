"""Panels in the log of a program: a store that is out of reach ends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.config.writing import config_of
from trioarm.arming.installation import Installation
from trioarm.cli.panels import watch_panel
from trioarm.engine.clock import SystemClock
from trioarm.repositories.sqlite import SqliteScheduleRepository


async def test_a_panel_whose_store_is_out_of_reach_is_unavailable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The built-in one is kept there. The watch goes on, and the node says what is wrong with the store."""
    config = config_of(tmp_path, '[site.home]\ntimezone = "UTC"\n[partition.house]\nsite = "home"\n')
    repository, clock = SqliteScheduleRepository(tmp_path / "store.db"), SystemClock(60.0)
    await repository.open()
    installation = Installation(config.premises, repository, clock)
    await repository.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_panel, "house", installation.panels["house"], clock)
        with trio.fail_after(30):
            while "house: unavailable" not in capsys.readouterr().out:  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
