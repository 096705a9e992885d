"""kill -9 in an exit delay: whoever comes after reads the panel first, and sends nothing twice (A3.5)."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.programs import started
from tests.crash.node import Place
from tests.crash.papers import papers_of
from trioarm import Reason, State
from trioarm.arming.audit import AUDIT
from trioarm.arming.ledger import COMMANDS
from trioarm.arming.panels.virtual import NAMESPACE

RUN = ("-m", "trioarm", "run", "--set", "log.level=debug")
EXIT_DELAY_S = 10.0  # longer than a program needs to start on a machine that does much else


async def test_an_exit_delay_that_is_cut_short_by_kill_9_is_waited_for_and_not_begun_again(tmp_path: Path) -> None:
    """The run ends once, succeeded, in a second attempt that sent nothing: the panel got one command (A3.1, A3.5)."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    (tmp_path / "scheduler.toml").write_text(
        f"""
        [site.home]
        timezone = "Europe/Prague"
        [partition.house]
        site = "home"
        panel = {{ exit_delay = "{EXIT_DELAY_S:.0f}s" }}
        [[schedule]]
        name = "evening"
        partition = "house"
        target = "armed_night"
        once = "{began.isoformat()}"
        """
    )
    async with started(tmp_path, RUN) as program:
        await program.line_with("house: arming (armed_night)")
        program.process.kill()
        await program.process.wait()
    killed = await papers_of(Place(tmp_path).store)
    command, panel = killed.documents[COMMANDS, "house"], killed.documents[NAMESPACE, "house"]
    assert command["sends"] == 1
    assert [run.state for run in killed.runs] in ([State.CLAIMED], [State.RUNNING])
    async with started(tmp_path, RUN) as program:
        assert "its node is gone, the run is begun again" in await program.line_with("evening/house")
        await program.line_with("evening/house  running")
        [again] = (await papers_of(Place(tmp_path).store)).runs
        assert (again.reason, again.attempt) == (Reason.LOST, 2)
        assert "attempt 2, begun again after its node was lost" in await program.line_with("evening/house  succeeded")
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")
    kept = await papers_of(Place(tmp_path).store)
    [run] = kept.runs
    assert (run.state, run.reason, run.attempt, run.token) == (State.SUCCEEDED, Reason.RECOVERED, 2, 2)
    assert run.result == {"partition": "house", "reported": "armed_night", "sends": 1}
    assert kept.documents[COMMANDS, "house"] == command
    assert kept.documents[NAMESPACE, "house"] == panel
    [entry] = kept.journals[AUDIT]
    assert (entry["verb"], entry["before"], entry["after"]) == ("arm", "arming", "armed_night")
    assert entry["reason"] == "1 sent; the node that held the run before is gone"
