"""What is special about panels that programs set and read: exit codes, what they print, and what they cannot leak."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.arming.premises import some_parts
from trioarm.arming.commanding.line import lines_to
from trioarm.arming.model import CommandPanel, Partition, Reported, Target
from trioarm.arming.panels import make_panel
from trioarm.arming.panels.base import NAME_MAX, ZONES_MAX, FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.command import OUTPUT_MAX, SHOWN_MAX, CommandDriver
from trioarm.core.errors import ConfigurationError
from trioarm.core.instants import parse_instant
from trioarm.links.secrets import SecretRef

CODE = "00x42-öäü"
AWAY = Target.ARMED_AWAY
ENDS_S = 60.0  # real seconds within which a program that ends has ended, on a busy machine
LATE_S = 2  # after which one that does not end is given up
FLOOD = 30_000_000  # bytes: more than a node may lose to one program


def a_driver(
    script: str, *arguments: str, address: str = "1", timeout_s: float = ENDS_S, code: SecretRef | None = None
) -> CommandDriver:
    """Return the driver of a panel that one script of the shell sets and reads, with arguments of its own."""
    argv = ("/bin/sh", "-c", script, "sh", *arguments)
    settings = CommandPanel(set=argv, read=argv, timeout_s=timeout_s, code=code)
    return CommandDriver(settings, "house", address, code)


async def failure_of(driver: CommandDriver, code: str | None = None, *, reads: bool = False) -> PanelFailure:
    """Return how a command, or a read, fails; the message is a line that can be shown."""
    with trio.fail_after(ENDS_S), pytest.raises(PanelFailure) as caught:
        await (driver.read_state() if reads else driver.command(AWAY, code))
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1_000 or caught.value.zones
    return caught.value


async def given_up(
    script: str, said: Path, count: int, clock: trio.testing.MockClock, code: str | None = None
) -> PanelFailure:
    """Return how a command fails that does not end. Time stands still until it has said what it has to say.

    Args:
        script: makes a file once it has said something.
        said: a directory for those.
        count: of them.
        clock: which stands still, and is too late then.
        code: handed to it.
    """

    async def listen() -> None:
        while len(os.listdir(said)) < count:
            os.sched_yield()
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()  # that is heard
        clock.jump(LATE_S)
        clock.rate = 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        return await failure_of(a_driver(script, timeout_s=LATE_S), code)


# What the setting program says


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ("echo no; exit 10", "rejected", "/bin/sh refuses to make it armed_away: it said no"),
        ("exit 10", "rejected", "/bin/sh refuses to make it armed_away: it said nothing"),
        ("echo 'back  door'; exit 11", "blocked", "/bin/sh finds zones open: back door"),
        ("exit 11", "blocked", "/bin/sh finds zones open, and names none"),
        ("exit 1", "unavailable", "/bin/sh ended with 1: it said nothing"),
        ("echo usage >&2; exit 2", "unavailable", "/bin/sh ended with 2: it said usage"),
        ("exit 12", "unavailable", "/bin/sh ended with 12: it said nothing"),
        ("echo out; echo one >&2; echo two >&2; exit 9", "unavailable", "/bin/sh ended with 9: it said one two"),
        ("exit 126", "unavailable", "/bin/sh ended with 126: it said nothing"),
        ("exit 127", "unavailable", "/bin/sh ended with 127: it said nothing"),
        ("exit 130", "unavailable", "/bin/sh ended with 130: it said nothing"),
        ("exit 255", "unavailable", "/bin/sh ended with 255: it said nothing"),
        ("kill -SEGV $$", "unavailable", "/bin/sh was ended by SIGSEGV: it said nothing"),
        ("kill -TERM $$", "unavailable", "/bin/sh was ended by SIGTERM: it said nothing"),
    ],
)
async def test_exit_codes_say_what_became_of_a_command(script: str, kind: str, message: str) -> None:
    """10 is refused for good, 11 blocked; whatever else goes wrong is unavailable, and is tried again (A3.3)."""
    failure = await failure_of(a_driver(script))
    assert (failure.kind, str(failure)) == (FailureKind(kind), message)


async def test_0_is_taken_whatever_it_says() -> None:
    """What came of it is known by reading only, so nothing it prints matters; nor does the code it never read."""
    with trio.fail_after(ENDS_S):
        await a_driver("echo ERROR; echo failed >&2; exec 0<&-; exit 0").command(AWAY, "4" * 256)


async def test_zones_are_the_lines_it_prints() -> None:
    """Each once, in order, without what cannot be shown and without the errors."""
    failure = await failure_of(a_driver("printf ' door \\r\\n\\n\\tWindow \\033[1m\\ndoor\\n'; echo line >&2; exit 11"))
    assert failure.zones == ("door", "Window ?[1m")


async def test_zones_are_bounded() -> None:
    """However many there are, however long, and however much else was printed before."""
    failure = await failure_of(a_driver(f"yes {'z' * 500} | head -c {FLOOD}; seq 10000; exit 11"))
    assert (len(failure.zones), failure.zones[-1]) == (ZONES_MAX, "10000")
    failure = await failure_of(a_driver(f"yes {'z' * 500} | head -c {FLOOD}; echo; echo door; exit 11"))
    assert failure.zones[0] == "z" * NAME_MAX
    assert failure.zones[-1] == "door"


# What the reading program says

SINCE = "2026-11-29T21:00:00Z"
WHOLE = {
    "state": "arming",
    "since_at": SINCE,
    "changed_by": "anna",
    "open_zones": ["Kitchen window", "  Küche  2"],
    "toward": "armed_away",
    "settles_at": "2026-11-29T22:00:30+01:00",
}


@pytest.mark.parametrize(
    ("printed", "report"),
    [
        ("disarmed", PanelReport(state=Reported.DISARMED)),
        (" armed_night \r\n", PanelReport(state=Reported.ARMED_NIGHT)),
        ("\n\ntriggered\n\n", PanelReport(state=Reported.TRIGGERED)),
        ("unavailable\n", PanelReport(state=Reported.UNAVAILABLE)),
        ('{"state": "pending"}', PanelReport(state=Reported.PENDING)),
        (
            '{"state": "disarmed", "changed_by": null, "open_zones": [], "settles_at": null}\n',
            PanelReport(state=Reported.DISARMED),
        ),
        (
            json.dumps(WHOLE, ensure_ascii=False),
            PanelReport(
                state=Reported.ARMING,
                since_at=parse_instant(SINCE),
                changed_by="anna",
                open_zones=("Kitchen window", "  Küche  2"),
                toward=AWAY,
                settles_at=parse_instant("2026-11-29T21:00:30Z"),
            ),
        ),
        (
            json.dumps({"state": "disarmed", "open_zones": [f"{number:0100}" for number in range(ZONES_MAX)]}),
            PanelReport(state=Reported.DISARMED, open_zones=tuple(f"{number:0100}" for number in range(ZONES_MAX))),
        ),
    ],
)
async def test_a_report_is_a_word_or_an_object(printed: str, report: PanelReport) -> None:
    """What is not said is not known; errors on standard error do not matter while it ends well."""
    with trio.fail_after(ENDS_S):
        assert await a_driver('printf %s "$1"; echo warning >&2', printed).read_state() == report


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        (b"", "(0 lines instead of one): it said nothing"),
        (b"disarmed\narmed_away\n", "(2 lines instead of one): it said disarmed armed_away"),
        (b"armed_awy", "(no state; did you mean armed_away?): it said armed_awy"),
        (b"Disarmed", "(no state; did you mean disarmed?): it said Disarmed"),
        (b'"disarmed"', "(no state; did you mean disarmed?)"),
        (b"42", "(no state; there is disarmed, armed_home, "),
        (b"dis\xffarmed", "(no UTF-8): it said dis"),
        (b"dis\x1b[1marmed", "?[1marmed"),
        (b'["disarmed"]', "(no state; "),
        (b"{disarmed}", "(no JSON in which each key stands once): it said {disarmed}"),
        (b'{"state": "disarmed"', "(no JSON "),
        (b'{"state": "disarmed"} {}', "(no JSON "),
        (b'{"state": "disarmed", "state": "armed_away"}', "(no JSON in which each key stands once)"),
        (b'{"a": ' + b"[" * 9_000, "(no JSON "),
        (b'{"state": ' + b"1" * 9_000 + b"}", "(no JSON "),
        (b"{}", "(report.state: is missing)"),
        (b'{"state": null}', "(report.state: None is no text"),
        (b'{"state": "armed"}', '(report.state: "armed" is unknown; did you mean '),
        (b'{"state": "disarmed", "stat": 1}', "(report: unknown key stat; did you mean state?)"),
        (b'{"state": "disarmed", "open_zones": "door"}', '(report.open_zones: "door" is no list'),
        (b'{"state": "disarmed", "open_zones": [1]}', "(report.open_zones: 1 is no text"),
        (b'{"state": "disarmed", "open_zones": [""]}', "(a name that is not one line of 1 to 100 characters)"),
        (b'{"state": "disarmed", "changed_by": "a\\nb"}', "(a name that is not one line of 1 to 100 characters)"),
        (b'{"state": "disarmed", "changed_by": true}', "(report.changed_by: true is no text"),
        (b'{"state": "disarmed", "since_at": 1764450000}', "(report.since_at: 1764450000 is no instant"),
        (b'{"state": "disarmed", "since_at": "2026-11-29T21:00:00"}', "names no instant without an offset"),
        (b'{"state": "arming", "toward": "arming"}', '(report.toward: "arming" is unknown; there is disarmed, '),
        (json.dumps({"state": "disarmed", "open_zones": ["z"] * 257}).encode(), "(more than 256 open zones)"),
        (json.dumps({"state": "disarmed", "changed_by": "a" * 101}).encode(), "(a name that is not one line"),
    ],
)
async def test_what_is_no_report_is_unavailable(printed: bytes, why: str, tmp_path: Path) -> None:
    """Nothing is guessed: one line says what is wrong, and shows the end of what was said."""
    (tmp_path / "printed").write_bytes(printed)
    failure = await failure_of(a_driver(f"cat {tmp_path}/printed"), reads=True)
    assert failure.kind is FailureKind.UNAVAILABLE
    assert str(failure).startswith("/bin/sh printed no report (")
    assert why in str(failure)


async def test_a_report_counts_only_from_a_program_that_ends_well() -> None:
    """A state that was printed before a failure may be an old one."""
    failure = await failure_of(a_driver("echo disarmed; exit 1"), reads=True)
    assert str(failure) == "/bin/sh ended with 1: it said disarmed"
    failure = await failure_of(a_driver("echo disarmed; exit 11"), reads=True)
    assert failure.kind is FailureKind.UNAVAILABLE


# What programs are told


async def test_arguments_say_what_is_meant() -> None:
    """Words in braces stand for what is meant, also within an argument; no shell sees them, other braces stay."""
    address = "{target} $(id) ;'\" *"
    script = 'for each in "$@"; do printf "%s|" "$each"; done; exit 10'
    driver = a_driver(script, "{target}", '{"to": "{target}/{partition}"}', "{address}", "{}", address=address)
    failure = await failure_of(driver)
    shown = f'it said armed_away|{{"to": "armed_away/house"}}|{address}|{{}}|'
    assert str(failure).endswith(shown)


@pytest.fixture
def few_variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let the node have a few variables, a code among them whose name is one of those that programs get."""
    plain = {"PATH": "/usr/bin:/bin", "HOME": "/home", "TZ": "UTC"}
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in {**plain, "LC_CODE": CODE, "SECRET": CODE}.items():
        monkeypatch.setenv(name, value)
    return plain


async def test_the_code_is_on_standard_input_and_nowhere_else(
    few_variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the arguments and not in the environment of any process, which say what and who; it is one line (A5.2)."""
    dump = f"env > {tmp_path}/env; tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/argv; cat > {tmp_path}/stdin"
    driver = a_driver(f"{dump}; echo disarmed", "{address}", "{partition}", code=SecretRef(env="LC_CODE"))
    with trio.fail_after(ENDS_S):
        await driver.command(AWAY, CODE, "anna")
        assert (tmp_path / "stdin").read_text() == f"{CODE}\n"
        told = {"TRIOARM_TARGET": "armed_away", "TRIOARM_ADDRESS": "1", "TRIOARM_PARTITION": "house"}
        assert _dumped(tmp_path) == {**few_variables, **told, "TRIOARM_BY": "anna"}
        assert CODE not in (tmp_path / "argv").read_text()
        await driver.read_state()
        del told["TRIOARM_TARGET"]
        assert _dumped(tmp_path) == {**few_variables, **told}
        assert (tmp_path / "stdin").read_text() == ""
        await driver.command(AWAY, None)
        assert (tmp_path / "stdin").read_text() == ""


def _dumped(folder: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in (folder / "env").read_text().splitlines()]
    return {name: value for name, _, value in lines if name not in {"PWD", "SHLVL", "_", "OLDPWD"}}  # of the shell


@pytest.mark.parametrize("code", [CODE, "0042", "7"])
@pytest.mark.parametrize("ending", ["exit 10", "exit 1", "exit 11", "kill -9 $$"])
async def test_a_program_that_repeats_the_code_does_not_spread_it(ending: str, code: str) -> None:
    """Neither by its output nor by its errors, however it ends; the message says that something was there (A5.2)."""
    for where in ("1", "2"):
        failure = await failure_of(a_driver(f'read -r code; echo "zone 1: $code!" >&{where}; {ending}'), code)
        assert code not in str(failure) + str(failure.zones)
        assert "exit 11" in ending or "zone 1: ***!" in str(failure)


async def test_a_reading_program_does_not_spread_the_code_either(tmp_path: Path) -> None:
    """It is handed none, but may have found it where it is."""
    (tmp_path / "code").write_text(f"{CODE}\n", encoding="utf-8")
    ref = SecretRef(file=str(tmp_path / "code"))
    for script in ("cat $1", "cat $1 >&2; exit 3"):
        failure = await failure_of(a_driver(script, str(tmp_path / "code"), code=ref), reads=True)
        assert "it said ***" in str(failure)
        assert "00x42" not in str(failure)
    (tmp_path / "code").unlink()  # a code that cannot be read is no reason not to read the panel
    assert "ended with 1" in str(await failure_of(a_driver("cat $1", str(tmp_path / "code"), code=ref), reads=True))


@pytest.mark.parametrize("stream", [1, 2])
async def test_a_part_of_the_code_where_the_output_is_cut_does_not_get_out(stream: int) -> None:
    """The kept end begins amid the code, and only blanks are between it and the last word."""
    code = "a-secret-of-many-characters"
    kept = OUTPUT_MAX if stream == 1 else 2_000
    script = f'read -r code; printf "%s%{kept - 10}s" "$code" end >&{stream}; exit 10'
    failure = await failure_of(a_driver(script), code)
    assert str(failure) == "/bin/sh refuses to make it armed_away: it said end"


# Programs that misbehave


def living(pids: Sequence[str]) -> list[str]:
    """Return which of these processes are alive; one that waits to be reaped is not."""
    found = []
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        try:
            state = stat.read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            found.append(pid)
    return found


async def test_a_family_that_will_not_end_is_ended(tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    """Who ignores being told to terminate is killed with all it started; the wait is bounded."""
    say = f"echo $$; touch {tmp_path}/$$"
    script = f"trap '' TERM; for i in 1 2; do sh -c '{say}; exec sleep 3600' & done; {say}; wait"
    failure = await given_up(script, tmp_path, 3, mock_clock)
    assert str(failure).startswith(f"/bin/sh did not end within {LATE_S}s: it said ")
    pids = str(failure).rpartition("it said ")[2].split()
    assert len(pids) == 3
    assert living(pids) == []


async def test_what_it_leaves_running_neither_holds_up_nor_spoils_a_report(tmp_path: Path) -> None:
    """The pipe stays open behind it: the report counts, and who kept it is ended."""
    script = (
        f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 3600' & echo disarmed; until test -s {tmp_path}/pid; do :; done"
    )
    with trio.fail_after(ENDS_S):
        assert (await a_driver(script).read_state()).state is Reported.DISARMED
    assert living((tmp_path / "pid").read_text().split()) == []


async def test_who_is_not_waited_for_any_more_is_ended(tmp_path: Path) -> None:
    """A run that is superseded leaves no program behind."""
    os.mkfifo(tmp_path / "begun")
    driver = a_driver(f"echo $$ > {tmp_path}/begun; exec sleep 3600")
    with trio.fail_after(ENDS_S):
        begun = trio.lowlevel.FdStream(os.open(tmp_path / "begun", os.O_RDWR | os.O_NONBLOCK))
        async with begun, trio.open_nursery() as nursery:
            nursery.start_soon(driver.command, AWAY, None)
            pid = (await begun.receive_some()).decode().strip()
            assert living([pid]) == [pid]
            nursery.cancel_scope.cancel()
    assert living([pid]) == []


async def test_an_end_of_the_output_is_no_end_of_the_program(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    """It is waited for until its time is over; what it said until then is shown, but not the code."""
    script = f'read -r code; echo "have $code"; exec >&- 2>&-; touch {tmp_path}/said; exec sleep 3600'
    failure = await given_up(script, tmp_path, 1, mock_clock, CODE)
    assert str(failure) == f"/bin/sh did not end within {LATE_S}s: it said have ***"


@pytest.mark.parametrize("script", ["yes disarmed", f"head -c {FLOOD} /dev/zero", f"yes | head -c {FLOOD} >&2; exit 1"])
async def test_a_flood_takes_no_memory(script: str) -> None:
    """Whether it ends or not: what is kept of it is bounded, and others go on meanwhile."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        failure = await failure_of(a_driver(script, timeout_s=1), reads=True)
        nursery.cancel_scope.cancel()
    assert failure.kind is FailureKind.UNAVAILABLE
    assert len(str(failure)) < 2 * SHOWN_MAX
    assert turns > 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


async def test_too_much_is_no_report_even_if_its_end_is_one() -> None:
    """What was lost may have said something else."""
    failure = await failure_of(a_driver(f"yes | head -c {OUTPUT_MAX}; echo disarmed"), reads=True)
    assert "/bin/sh printed no report (too much): it said ..." in str(failure)


@pytest.mark.parametrize(
    ("program", "address", "why"),
    [
        ("/no/such/program", "1", "cannot start /no/such/program: No such file or directory"),
        ("/etc", "1", "cannot start /etc: Permission denied"),
        ("/etc/passwd", "1", "cannot start /etc/passwd: Permission denied"),
        ("/bin/true", "a\0b", "cannot start /bin/true: an argument or a variable holds what none can, such as NUL"),
        ("/bin/true", "x" * 3_000_000, "cannot start /bin/true: Argument list too long"),
    ],
)
async def test_a_program_that_cannot_be_started_is_unavailable(program: str, address: str, why: str) -> None:
    """It may come back, as a panel may: whoever wants something of it tries again."""
    settings = CommandPanel(set=(program, "{address}"), read=(program, "{address}"))
    driver = CommandDriver(settings, "house", address, None)
    for reads in (False, True):
        failure = await failure_of(driver, CODE, reads=reads)
        assert (failure.kind, str(failure)) == (FailureKind.UNAVAILABLE, why)


# Settings


@pytest.mark.parametrize(("setting", "reading"), [((), ("a",)), (("a",), ()), (("",), ("a",))])
def test_settings_name_two_programs(setting: tuple[str, ...], reading: tuple[str, ...]) -> None:
    """In a program as in a file: settings that exist are valid."""
    with pytest.raises(ConfigurationError, match="needs a program that sets it and one that reads it"):
        CommandPanel(set=setting, read=reading)


def test_partitions_that_one_program_sets_take_turns() -> None:
    """Whatever their addresses: they are partitions of one panel, as far as anybody knows (A3.8)."""

    def a_panel(name: str, program: str) -> Partition:
        return Partition(
            name=name,
            site="home",
            panel=CommandPanel(set=(program, "set", "{address}"), read=("cat", name)),
            address=name.upper(),
        )

    partitions = [a_panel("house", "alarm"), a_panel("garage", "alarm"), a_panel("boat", "other")]
    lines = lines_to({one.name: make_panel(one, some_parts()) for one in partitions})
    assert lines["house"] is lines["garage"]
    assert lines["house"] is not lines["boat"]
