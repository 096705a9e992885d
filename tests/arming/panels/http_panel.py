"""A small alarm panel that speaks HTTP, as one that somebody else wrote might: code, exit delay, zones, signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Final

from tests.links.web import says

TOLERANCE_S: Final = 300  # how far the clock of whoever signs may be off
MODES: Final = {"disarmed": "OFF", "armed_away": "AWAY", "armed_night": "NIGHT", "armed_home": "HOME"}


class HttpAlarmPanel:
    """One partition, `house`.

    Args:
        code: what it wants to hear with each command.
        secret: what commands are signed with.
        exit_delay_s: how long it reports that it is leaving.
    """

    def __init__(self, code: str, secret: str, exit_delay_s: float) -> None:
        self._code = code
        self._secret = secret.encode()
        self._exit_delay_s = exit_delay_s
        self._lock = Lock()
        self._keys: set[str] = set()
        self._mode, self._by, self._at = "OFF", "", 0.0
        self._armed_at = 0.0
        self._started = time.time()
        self.open_zones: list[str] = []
        self.reads_on_the_way = 0

    def set(self, mode: str, by: str, delay_s: float = 0.0) -> None:
        """Let somebody make it so."""
        with self._lock:
            self._mode, self._by, self._at = mode, by, time.time()
            self._armed_at = time.monotonic() + (delay_s if mode != "OFF" else 0.0)

    def restart(self) -> None:
        """Lose power, and forget what it was."""
        self.set("OFF", "")
        with self._lock:
            self._started = self._at

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request for the state, or a command."""
        if request.command == "GET" and request.path == "/alarm/house/state":
            says(json.dumps(self._state()).encode())(request)
        elif request.command == "POST" and request.path == "/alarm/house":
            status, said = self._commanded(request)
            says(json.dumps(said).encode(), status)(request)
        else:
            says(b"{}", 404)(request)

    def _state(self) -> object:
        is_leaving = time.monotonic() < self._armed_at
        self.reads_on_the_way += is_leaving
        mode = "LEAVING" if is_leaving else self._mode
        panel = {"mode": mode, "who": self._by or None, "since": self._at or None, "started": self._started}
        return {"panel": panel, "zones": {"open": self.open_zones}}

    def _commanded(self, request: BaseHTTPRequestHandler) -> tuple[int, object]:
        content = request.rfile.read(int(request.headers["Content-Length"]))
        stamp = request.headers["X-Trioarm-Timestamp"]
        expected = hmac.new(self._secret, stamp.encode() + b"." + content, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(request.headers["X-Trioarm-Signature"], f"sha256={expected}"):
            return 401, {"error": "wrong signature"}
        if abs(time.time() - int(stamp)) > TOLERANCE_S:
            return 401, {"error": "too old"}
        told = json.loads(content)
        if request.headers["Idempotency-Key"] != told["id"]:
            return 400, {"error": "another key was signed"}
        if told["id"] in self._keys:
            return 200, {}
        if told.get("code") != self._code:
            return 403, {"error": f"the code {told.get('code')} is wrong"}
        if told["target"] not in MODES:
            return 422, {"error": f"no mode {told['target']}"}
        if told["target"] != "disarmed" and self.open_zones:
            return 409, {"open_zones": self.open_zones}
        self._keys.add(told["id"])
        self.set(MODES[told["target"]], told["by"], self._exit_delay_s)
        return 202, {}
