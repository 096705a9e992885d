"""What a configuration needs and this machine lacks is a warning of `check`: it may be meant for another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from trioarm.cli import lacking
from trioarm.cli.app import main

HOUSE = """
[site.home]
timezone = "UTC"
[homeassistant.hut]
url = "https://127.0.0.1:9"
token = { env = "NO_SUCH_TOKEN" }
ca_file = "/no/such/ca.pem"
[partition.house]
site = "home"
code = { env = "NO_SUCH_CODE" }
panel = { kind = "command", set = ["/opt/alarm", "{target}"], read = ["no-such-program"] }
[partition.shed]
site = "home"
panel = { kind = "http", set = "http://127.0.0.1:9/", read = "http://127.0.0.1:9/", secret = { file = "KEY" } }
[[schedule]]
name = "backup"
handler = "command"
every = "1h"
args = { argv = ["/opt/backup"] }
[[schedule]]
name = "there"
handler = "command"
every = "1h"
args = { argv = ["true"] }
[[schedule]]
name = "elsewhere"
handler = "command"
every = "1h"
args = { argv = ["./where-it-is-started"], cwd = "/" }
"""


BROKER = """
[site.home]
timezone = "UTC"
[mqtt.home]
host = "127.0.0.1"
tls = true
ca_file = "FOLDER/ca.pem"
username = "trioarm"
password = { file = "FOLDER/password" }
[partition.house]
site = "home"
panel = { kind = "mqtt", broker = "home", preset = "alarmo" }
[mqtt.old]
host = "127.0.0.1"
"""


def test_passwords_and_certificates_of_brokers_that_are_not_here_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Likewise, and nobody connects to any of them to find out; so is a broker that no panel is at."""
    path = tmp_path / "scheduler.toml"
    path.write_text(BROKER.replace("FOLDER", str(tmp_path)))
    assert main(["check", "--config", str(path)]) == 0
    unused = "warning: mqtt.old: nothing is at this broker, so nobody connects to it"
    assert capsys.readouterr().err.splitlines() == [
        unused,
        f"warning: mqtt.home.password: file {tmp_path}/password cannot be read: No such file or directory",
        f"warning: mqtt.home.ca_file: there is no file {tmp_path}/ca.pem here, or it may not be read",
    ]
    for name in ("ca.pem", "password"):
        (tmp_path / name).write_text("s3cret\n")
    assert main(["check", "--config", str(path)]) == 0
    assert capsys.readouterr().err.splitlines() == [unused]
    monkeypatch.setattr(lacking, "find_spec", lambda _: None)
    assert main(["check", "--config", str(path)]) == 0
    line = "paho-mqtt is not installed: python -m pip install 'trioarm[mqtt]'"
    assert f"warning: mqtt.home: {line}" in capsys.readouterr().err.splitlines()


def test_programs_codes_and_keys_that_are_not_here_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line each, with the key that asks for it; the configuration is fine all the same, and no secret is shown."""
    monkeypatch.delenv("NO_SUCH_CODE", raising=False)
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    key = tmp_path / "key"
    (tmp_path / "scheduler.toml").write_text(HOUSE.replace("KEY", str(key)))
    assert main(["check", "--config", str(tmp_path / "scheduler.toml")]) == 0
    out, errors = capsys.readouterr()
    assert "is fine: 3 schedules" in out
    gone = "here, or it may not be run"
    assert errors.splitlines() == [
        "warning: homeassistant.hut: nothing is at this instance, so nobody connects to it",
        "warning: homeassistant.hut.token: environment variable NO_SUCH_TOKEN is not set: it should hold the token",
        "warning: homeassistant.hut.ca_file: file /no/such/ca.pem is not here, or may not be read",
        "warning: partition.house.code: environment variable NO_SUCH_CODE is not set: it should hold the code",
        f"warning: partition.house.panel.set: there is no program /opt/alarm {gone}",
        f"warning: partition.house.panel.read: there is no program no-such-program {gone}",
        f"warning: partition.shed.panel.secret: file {key} cannot be read: No such file or directory",
        f'warning: schedule "backup": there is no program /opt/backup {gone}',
    ]
    monkeypatch.setenv("NO_SUCH_CODE", "0042")
    monkeypatch.setenv("NO_SUCH_TOKEN", "t0ken")
    key.write_text("s3cret\n")
    assert main(["check", "--config", str(tmp_path / "scheduler.toml")]) == 0
    errors = capsys.readouterr().err
    assert ("partition.house.code" in errors, "secret" in errors, "0042" in errors) == (False, False, False)
    assert "oken" not in errors


def test_a_library_that_is_not_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What only a part of the configurations needs is not installed with the rest."""
    monkeypatch.setattr(lacking, "find_spec", lambda _: None)
    monkeypatch.setenv("HOME_TOKEN", "t0ken")
    home = '[homeassistant.hut]\nurl = "http://h"\ntoken = { env = "HOME_TOKEN" }\n'
    (tmp_path / "scheduler.toml").write_text(home)
    assert main(["check", "--config", str(tmp_path / "scheduler.toml")]) == 0
    assert capsys.readouterr().err.splitlines()[1:] == [
        "warning: homeassistant.hut: wsproto is not installed: python -m pip install 'trioarm[homeassistant]'"
    ]
