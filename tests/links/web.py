"""A real web server for tests, in threads of its own, on a port that the system chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Event, Thread

import attrs

Answer = Callable[[BaseHTTPRequestHandler], None]


@attrs.define(eq=False)
class Web:
    """A server: what it answers may be replaced while it runs.

    Args:
        port: where it listens.
        answer: called for each request, in a thread.
        asked: paths and the authorization that came with them.
        over: set when the server ends, for answers that never come.
    """

    port: int
    answer: Answer
    asked: list[tuple[str, str | None]] = attrs.field(factory=list)
    over: Event = attrs.field(factory=Event)

    def url(self, path: str = "/", userinfo: str = "") -> str:
        """Return the address of a path."""
        return f"http://{userinfo}127.0.0.1:{self.port}{path}"


@contextmanager
def a_web_server(answer: Answer | None = None) -> Iterator[Web]:
    """Serve while the context lasts; 204 to everything unless told otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append((self.path, self.headers.get("Authorization")))
            web.answer(self)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.rfile = BytesIO(content)  # all of it is read, whoever answers: else the end would be a reset
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(server.server_address[1], answer or status(204))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        web.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, location: str | None = None) -> Answer:
    """Return an answer without a body."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        if location is not None:
            request.send_header("Location", location)
        request.end_headers()

    return answer


def says(content: bytes, code: int = 200) -> Answer:
    """Return an answer with a body."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer
