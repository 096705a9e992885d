"""`trioarm config set`: one setting changed beside a person's file, checked first, written as a whole or not at all."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from tests.cli.test_listings import printed
from trioarm.config.local import write_local

FILE = '# mine\n[scheduler]\ndrain = "10s"\n'
LOCAL = "scheduler.local.toml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a person's file in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(FILE)
    return tmp_path


def local(folder: Path) -> dict[str, object]:
    """Return what stands beside the file."""
    return tomllib.loads((folder / LOCAL).read_text())


def names(folder: Path) -> list[str]:
    """Return what is in the folder: no temporary file is left behind."""
    return sorted(path.name for path in folder.iterdir())


def test_a_setting_is_set_and_unset_again(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """What is set counts more than the file, which stays as it was; unset, the file counts and nothing is left."""
    said = printed(capsys, "config set scheduler.drain 1m")
    assert said == "scheduler.drain = 1m (scheduler.local.toml): a running node takes it over at once\n"
    assert local(folder) == {"scheduler": {"drain": "1m"}}
    assert "scheduler.drain = 1m " in printed(capsys, "config show")
    said = printed(capsys, "config set --unset scheduler.drain")
    assert said == "scheduler.drain = 10s (scheduler.toml): a running node takes it over at once\n"
    assert names(folder) == ["scheduler.toml"]
    assert (folder / "scheduler.toml").read_text() == FILE


def test_what_else_stands_there_stays(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """Other settings, other sections and whole schedules outlive the change of one setting."""
    schedule = '[[schedule]]\nname = "a"\nhandler = "log"\nonce = 2030-01-01T00:00:00Z\n'
    kept = f"{schedule}[scheduler]\ndrain = 5\ntolerance = 90\n"
    (folder / LOCAL).write_text(kept)
    printed(capsys, "config set executor.max_retries 7")
    printed(capsys, "config set --unset scheduler.drain")
    expected = tomllib.loads(kept)
    del expected["scheduler"]["drain"]
    assert local(folder) == {**expected, "executor": {"max_retries": 7}}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("features.debug true", True),
        ("executor.max_retries 2", 2),
        ("scheduler.drain 90", 90),
        ("scheduler.drain 1.5", 1.5),
        ("scheduler.drain 1h30m", None),
        ("log.level debug", "debug"),
        ("log.level '\"debug\"'", "debug"),
        ("scheduler.timezone Europe/Prague", "Europe/Prague"),
        ("scheduler.dead_man_url https://host/a=b", "https://host/a=b"),
    ],
)
def test_values_are_meant_as_in_the_file(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: str, value: object
) -> None:
    """Numbers and switches are what they are in TOML, and text needs no quotes."""
    key = arguments.split()[0]
    section, _, name = key.partition(".")
    if value is None:
        assert "is outside 0s to 10m" in printed(capsys, f"config set {arguments}", 2)
        return
    printed(capsys, f"config set {arguments}")
    assert local(folder) == {section: {name: value}}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("log.levl debug", "there is no setting log.levl; did you mean log.level?"),
        ("site.home.timezone UTC", "there is no setting site.home.timezone"),
        ("log.level verbose", 'log.level: "verbose" is unknown; there is debug, info, warning, error'),
        ("executor.timeout -5", "executor.timeout: -5 is outside 1s to 1d"),
        ("executor.timeout true", "executor.timeout: true is no duration"),
        ("executor.timeout", "config set executor.timeout: give a value, or --unset and none"),
        ("--unset executor.timeout 5", "config set executor.timeout: give a value, or --unset and none"),
        ("scheduler.environment prod", "there is no [environment.prod]"),
        ("scheduler.dead_man_url ftp://me:secret@host", 'scheduler.dead_man_url: "ftp://***@host" is neither'),
        ("scheduler.drain 5 -c nosuch.toml", "nosuch.toml: there is no such file"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: str, line: str
) -> None:
    """Unknown keys, values out of bounds, and what does not fit the rest are refused with exit code 2."""
    (folder / "scheduler.toml").write_text(FILE + "[environment.test.log]\nlevel = 'debug'\n")
    error = printed(capsys, f"config set {arguments}", 2)
    assert line in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert names(folder) == ["scheduler.toml"]


def test_a_configuration_that_is_wrong_elsewhere_is_not_added_to(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """The whole is checked: a file with a problem is put right first, and what stands beside it stays as it is."""
    (folder / LOCAL).write_text("[executor]\ntimeout = 5\n")
    (folder / "scheduler.toml").write_text('[[schedule]]\nname = "a"\nhandler = "lgo"\nevery = "1h"\n')
    assert "did you mean log?" in printed(capsys, "config set scheduler.drain 5", 2)
    assert local(folder) == {"executor": {"timeout": 5}}
    (folder / "scheduler.toml").write_text(FILE)
    (folder / LOCAL).write_text("=")
    assert "scheduler.local.toml: is not TOML" in printed(capsys, "config set scheduler.drain 5", 2)
    assert (folder / LOCAL).read_text() == "="


def test_it_says_when_a_setting_counts(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not live waits for the next start, and what somebody stronger says otherwise is told, too."""
    assert "auto_start = false (scheduler.local.toml): from the next start on" in printed(
        capsys, "config set scheduler.auto_start false"
    )
    monkeypatch.setenv("SCHEDULER_SHUTDOWN_TIMEOUT", "2000")
    said = printed(capsys, "config set scheduler.drain 1s")
    assert "drain = 2s" in said
    assert "but environment variable SCHEDULER_SHUTDOWN_TIMEOUT says otherwise" in said


def test_no_password_is_shown(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The answer shows a URL without what it authenticates with."""
    said = printed(capsys, "config set scheduler.dead_man_url https://me:secret@host/")
    assert "https://***@host/" in said
    assert "secret" not in said


def test_whoever_may_read_the_file_may_read_what_is_written(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The mode is that of the file, so that a service of another user still starts; once there, its own mode stays."""
    (folder / "scheduler.toml").chmod(0o640)
    printed(capsys, "config set scheduler.drain 1s")
    assert (folder / LOCAL).stat().st_mode & 0o777 == 0o640
    (folder / LOCAL).chmod(0o600)
    printed(capsys, "config set scheduler.drain 2s")
    assert (folder / LOCAL).stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """Where scheduler.local.toml leads elsewhere, what it leads to is replaced."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "settings.toml").write_text("[executor]\ntimeout = 5\n")
    (folder / LOCAL).symlink_to(elsewhere / "settings.toml")
    printed(capsys, "config set scheduler.drain 1s")
    assert (folder / LOCAL).is_symlink()
    assert local(folder) == {"executor": {"timeout": 5}, "scheduler": {"drain": "1s"}}
    assert names(elsewhere) == ["settings.toml"]


def test_a_write_that_fails_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full at the last moment, the old file is whole and no half of a new one lies about."""
    write_local(folder / "scheduler.toml", {"scheduler": {"drain": 1}})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_local(folder / "scheduler.toml", {"scheduler": {"drain": 2}})
    assert local(folder) == {"scheduler": {"drain": 1}}
    assert names(folder) == [LOCAL, "scheduler.toml"]
