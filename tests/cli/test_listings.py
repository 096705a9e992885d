"""What the commands that only read print, as people and as programs see it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from trioarm.cli.app import GROUPS, main
from trioarm.config import SchedulerConfig

HOUSE = """
[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
allow_disarm = true

[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
weekly = { days = ["sat", "sun"], at = "02:30" }

[[schedule]]
name = "late"
partition = "house"
target = "armed_away"
cron = "45 2 * * 0"
timezone = "Europe/Prague"

[[schedule]]
name = "beat"
handler = "log"
every = "5s"

[[schedule]]
name = "off"
handler = "log"
every = "1h"
enabled = false
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scheduler.toml, which is the current one; 100 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(HOUSE)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], line: str, code: int = 0) -> str:
    """Return what a command line prints to stdout when all is well, else to stderr."""
    assert main(shlex.split(line)) == code
    out, err = capsys.readouterr()
    if code:
        assert "Traceback" not in err
        return err
    assert err == ""
    return out


def rows(capsys: pytest.CaptureFixture[str], line: str) -> list[dict[str, object]]:
    """Return the objects that a command line prints, one per line."""
    return [json.loads(text) for text in printed(capsys, line).splitlines()]


@pytest.mark.usefixtures("house")
class TestPreview:
    def test_json_has_exactly_the_documented_keys(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each row of `preview --json` has the keys that programs rely on, in UTC, one object per line."""
        found = rows(capsys, "preview night --json --from 2026-11-27T00:00:00Z --days 2")
        assert found[0] == {
            "schedule": "night/house",
            "due_at": "2026-11-28T01:30:00Z",
            "local_at": "2026-11-28T02:30:00+01:00",
            "shifted": None,
            "decision": "run",
            "reason": None,
            "partition": "house",
            "target": "armed_night",
            "exception": None,
            "night": "the night from Friday to Saturday",
            "conditions": None,
            "conflict": None,
            "held_by": None,
        }

    def test_a_gap_marks_and_supersedes(self, capsys: pytest.CaptureFixture[str]) -> None:
        """On the morning without 02:30 both arms fall on 03:00: the one meant later counts, the other is superseded."""
        found = rows(capsys, "preview night late --json --from 2027-03-28T00:00:00Z --days 1")
        assert [(row["schedule"], row["shifted"], row["decision"], row["reason"]) for row in found] == [
            ("night/house", "gap", "superseded", "superseded"),
            ("late/house", "gap", "run", None),
        ]

    def test_people_read_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In the table a shifted time says what happened to it, and what does not run says why."""
        text = printed(capsys, "preview night late --from 2027-03-28T00:00:00Z --days 1")
        assert "Sun 28 Mar 2027" in text
        assert "gap: 02:30 does not exist, clocks go forward" in " ".join(text.split())
        assert "superseded: another of its lane takes its place" in " ".join(text.split())

    def test_a_fold_is_marked_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        """02:30 comes twice on the last Sunday of October: it happens once, and says so in whatever zone."""
        found = rows(capsys, "preview night --json --from 2027-10-31T00:00:00Z --days 0.5 --tz UTC")
        assert [(row["local_at"], row["shifted"]) for row in found] == [("2027-10-31T00:30:00+00:00", "fold")]
        assert "fold: 02:30 comes twice" in printed(
            capsys, "preview night --from 2027-10-31T00:00:00Z --days 0.5 --tz UTC"
        )

    def test_frequent_ones_are_summarised_unless_asked_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A schedule of every five seconds is one line; named or with --all it is shown, up to the limit."""
        text = printed(capsys, "preview --days 7 --from 2026-11-23T00:00:00Z")
        assert "beat: every 5 s, 120 960 times" in text
        assert "off: disabled" in text
        assert text.count("beat") == 1
        named = printed(capsys, "preview beat --limit 3")
        assert named.count("beat") == 3
        assert "higher --limit than 3" in named
        assert printed(capsys, "preview --all --limit 4").count("beat") == 4

    def test_lines_fit_the_terminal(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """No line of the table is longer than the terminal is wide, and none ends in blanks."""
        monkeypatch.setenv("COLUMNS", "80")
        lines = printed(capsys, "preview night late --from 2027-03-20T00:00:00Z --days 40").splitlines()
        assert max(map(len, lines)) <= 80
        assert all(line == line.rstrip() for line in lines)

    @pytest.mark.parametrize(
        ("line", "part"),
        [
            ("preview nigth", "did you mean night"),
            ("preview --tz Europe/Prag", "did you mean Europe/Prague?"),
            ("preview --from tomorrow", "--from: 'tomorrow' is no ISO 8601 time"),
            ("preview --from 2026-11-23T00:00:00", "UTC offset"),
            ("preview --days 0", "--days 0: it must lie between"),
            ("preview --limit 0", "--limit 0: it must lie between"),
            ("preview --days soon", "--days"),
        ],
    )
    def test_a_wrong_question_is_one_line(self, capsys: pytest.CaptureFixture[str], line: str, part: str) -> None:
        """What cannot be answered is one line on stderr that says what to write, exit code 2."""
        error = printed(capsys, line, 2)
        assert part in error
        assert error.count("\n") == 1


@pytest.mark.usefixtures("house")
class TestExplain:
    def test_it_says_rule_next_why_zone_and_policies(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A schedule is explained by the name people gave it, whatever the engine calls its parts."""
        text = " ".join(printed(capsys, "explain night").split())
        assert "night/house" in text
        assert "rule sat and sun at 02:30 in Europe/Prague" in text
        assert "makes house armed_night" in text
        assert "why " in text
        assert "Europe/Prague, now" in text
        assert "clocks go" in text
        assert "a local time that clocks skip happens right after the gap" in text
        assert "after downtime, only the newest occurrence runs" in text

    def test_json_is_one_object(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`explain --json` is one object with five next instants in UTC."""
        [row] = rows(capsys, "explain beat --json")
        assert row["rule"] == "every 5 s"
        upcoming = row["next_due_at"]
        assert isinstance(upcoming, list)
        assert len(upcoming) == 5
        assert all(str(moment).endswith("Z") for moment in upcoming)

    def test_a_recurrence_rule_says_what_becomes_of_its_gaps(
        self, capsys: pytest.CaptureFixture[str], house: Path
    ) -> None:
        """A rule of a calendar in the file is explained like any other schedule of local time."""
        rule = 'rrule = { rule = "FREQ=MONTHLY;BYDAY=-1FR", start = "2026-11-23T22:30:00" }'
        (house / "scheduler.toml").write_text(f'[[schedule]]\nname = "a"\nhandler = "log"\n{rule}\n')
        text = " ".join(printed(capsys, "explain a").split())
        assert "rule every month on the last fri at 22:30, from 23 Nov 2026, in" in text
        assert "a local time that clocks skip happens as if they had not changed yet" in text

    def test_an_unknown_name_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An unknown schedule is exit code 2 with the nearest name."""
        assert "did you mean beat?" in printed(capsys, "explain beet", 2)


class TestCheckAndInit:
    def test_what_init_writes_passes_check(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """`init` writes a file that `check` finds fine, and does not replace one unless told to."""
        file = tmp_path / "new.toml"
        assert "trioarm check" in printed(capsys, f"init --config {file}")
        assert "is fine: 5 schedules, 3 of them arming 1 partition" in printed(capsys, f"check -c {file}")
        file.write_text("[[schedule]]\n")
        assert "--force" in printed(capsys, f"-c {file} init", 2)
        assert file.read_text() == "[[schedule]]\n"
        printed(capsys, f"init --force --config {file}")
        assert SchedulerConfig.from_file(file).schedules

    def test_check_tells_all_problems_at_once(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """Unknown keys, values, handlers and partitions are all told, a line each, exit code 2."""
        (house / "scheduler.toml").write_text(
            HOUSE.replace('"house"', '"hause"').replace('"log"', '"lok"').replace("[site", "[sitte")
        )
        lines = printed(capsys, "check", 2).splitlines()
        assert len(lines) >= 5
        assert sum("did you mean log?" in line for line in lines) == 2
        assert sum('"hause"' in line for line in lines) == 2
        assert any("sitte" in line for line in lines)

    def test_unknown_handlers_alone_are_problems_too(self, capsys: pytest.CaptureFixture[str], house: Path) -> None:
        """A file that is fine but for its handlers is refused by `check`, not by the first run."""
        (house / "scheduler.toml").write_text('[[schedule]]\nname = "a"\nhandler = "lgo"\nevery = "1h"\n')
        assert printed(capsys, "check", 2) == 'error: schedule "a".handler: "lgo" is unknown; did you mean log?\n'


@pytest.mark.usefixtures("house")
class TestSettings:
    def test_every_setting_says_its_source(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`config show` lists each setting with who said it, what is allowed, and the variable that sets it."""
        monkeypatch.setenv("SCHEDULER_CHECK_INTERVAL", "30000")
        found = {str(row["key"]): row for row in rows(capsys, "config show --json")}
        assert found["scheduler.check_interval"]["value"] == "30s"
        assert "SCHEDULER_CHECK_INTERVAL" in str(found["scheduler.check_interval"]["source"])
        assert found["executor.max_retries"] == {
            "key": "executor.max_retries",
            "value": "3",
            "source": "default",
            "default": "3",
            "bounds": "0 to 10",
            "env": "TASK_EXECUTOR_MAX_RETRIES",
            "live": True,
            "what": "attempts that may follow a failed first",
        }
        text = printed(capsys, "config show")
        assert "scheduler.check_interval = 30s" in text
        assert max(map(len, text.splitlines())) <= 100

    def test_settings_can_be_asked_for_by_key_and_by_section(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In the order of all; what there is not is one line, with what may have been meant."""
        asked = rows(capsys, "config show log scheduler.drain --json")
        assert asked[0]["key"] == "scheduler.drain"
        assert {str(row["key"]).partition(".")[0] for row in asked[1:]} == {"log"}
        assert printed(capsys, "config show scheduler.drain").startswith("scheduler.drain = 30s")
        error = "error: there is no setting scheduler.drian, and no section; did you mean scheduler.drain?\n"
        assert printed(capsys, "config show scheduler.drian", 2) == error


class TestHelp:
    @pytest.mark.parametrize(
        "topic",
        [
            *("triggers", "policies", "misfires", "dst", "arming", "schedules", "runs", "status", "store"),
            *("configuration", "logs", "service", "exit-codes"),
        ],
    )
    def test_every_topic_is_listed_and_fits(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, topic: str
    ) -> None:
        """Each topic is in the list, and its text fits 80 columns."""
        monkeypatch.setenv("COLUMNS", "80")
        assert f"  {topic} " in printed(capsys, "help")
        text = printed(capsys, f"help {topic}")
        assert max(map(len, text.splitlines())) <= 80

    def test_configuration_lists_every_setting(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`help configuration` names all settings and all environment variables."""
        text = printed(capsys, "help configuration")
        for setting in SchedulerConfig().describe():
            assert setting.key in text
            assert setting.env is None or setting.env in text

    @pytest.mark.parametrize(
        "command",
        [
            *("run", "init", "check", "preview", "explain", "status", "completion"),
            *(f"{group} {command}" for group, (_, commands) in GROUPS.items() for command in commands),
        ],
    )
    def test_every_command_has_help_with_examples(self, capsys: pytest.CaptureFixture[str], command: str) -> None:
        """`--help` of every command shows how it is used, with examples."""
        text = printed(capsys, f"{command} --help")
        assert "For example" in text
        assert f"trioarm {command}" in text

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion_prints_a_script(self, capsys: pytest.CaptureFixture[str], shell: str) -> None:
        """Each shell gets a script that knows the commands."""
        assert "preview" in printed(capsys, f"completion {shell}")

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--version` is one line that begins with the program's name."""
        assert printed(capsys, "--version").startswith("trioarm 0.1.0 (Python 3.")

    @pytest.mark.parametrize(
        ("line", "part"),
        [
            ("previw", "did you mean trioarm preview?"),
            ("config shwo", "did you mean trioarm config show?"),
            ("check --cofnig x", "did you mean --config?"),
            ("check twice", 'check does not know what to do with "twice"'),
            ("--for 3s check", "write trioarm check, then its options"),
            ("run --for soon", "--for: 'soon' is no duration"),
            ("run --set log.level", "write it like --set"),
            ("help dts", "did you mean dst?"),
            ("check -c nosuch.toml", "nosuch.toml: there is no such file"),
        ],
    )
    def test_a_slip_is_one_line_with_a_suggestion(
        self, capsys: pytest.CaptureFixture[str], line: str, part: str
    ) -> None:
        """An unknown command, option or value is one line on stderr with what was probably meant, exit code 2."""
        error = printed(capsys, line, 2)
        assert part in error
        assert error.startswith("error: ")
        assert error.count("\n") == 1
