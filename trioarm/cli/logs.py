"""Logs: how the program writes what it and its libraries have to say. Libraries only use `logging.getLogger`.

For people, a line is local time with its offset, then words. For machines (`log.format = "json"`) it is an object, with
its instant in UTC. What a handler logs, in whichever library, names its run. Lines go to stdout: they are what
`trioarm run` is for. A log that nobody reads never stops a node, nor holds it up.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TextIO, TypeAlias

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from trioarm.cli.lines import Lines
from trioarm.cli.masking import Masking, known_secrets
from trioarm.cli.terminal import Style, paint
from trioarm.config import SchedulerConfig
from trioarm.core.counting import counted
from trioarm.engine.attempt import current_run

JSON: Final = "json"
UTF_8: Final = "utf-8"
ROOT: Final = "trioarm"  # every logger of ours is below it

Renderer: TypeAlias = Callable[[WrappedLogger, str, EventDict], str]

_LEVEL_STYLES: Final = {"warning": Style.NOTICE, "error": Style.BAD, "critical": Style.BAD, "debug": Style.FAINT}


class LineHandler(logging.StreamHandler[TextIO | Lines]):
    """Writes lines until their reader is gone, then none."""

    def __init__(self, stream: TextIO | Lines) -> None:
        super().__init__(stream)
        self._gone = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, unless nobody is left to read it; before it, how many were left out since the last one."""
        if self._gone:
            return
        if isinstance(self.stream, Lines) and (count := self.stream.left_out()):
            super().emit(_left_out(count))
        super().emit(record)

    def close(self) -> None:
        """Let what waits be written."""
        if isinstance(self.stream, Lines):
            self.stream.finish()
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Stop writing when the reader is gone; say what else is wrong."""
        if isinstance(sys.exc_info()[1], OSError):
            self._gone = True
        else:
            super().handleError(record)


def configure_logs(config: SchedulerConfig, stream: TextIO, lines: Lines | None = None) -> LineHandler:
    """Set up the log of this process, and return what writes its lines.

    Args:
        config: its level, its format, whether decisions are logged, and the secrets to keep out.
        stream: where lines go.
        lines: by which they go there; None for at once, however long that takes.
    """
    masking = Masking(known_secrets(config))
    renderer = _for_machines(stream) if config.log.format == JSON else _for_people(stream)
    prepare: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.format_exc_info,
        _of_its_run,
        _masked(masking),
    ]
    handler = LineHandler(lines or stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=prepare,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(_unless_told_otherwise)
    root = logging.getLogger(ROOT)
    root.handlers = [handler]
    root.propagate = False
    adjust_levels(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *prepare,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return handler


def capture_the_rest(config: SchedulerConfig, handler: LineHandler) -> None:
    """Let a process write nothing but its log: what libraries log and warn of, and, as JSON, even what crashes it."""
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    if config.log.format == JSON:
        sys.excepthook = _log_crash


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger(f"{ROOT}.node").critical("crashed: %s", error, exc_info=(kind, error, trace))


def json_error(message: str, stream: TextIO) -> None:
    """Write an error as a line of a JSON log, where there is no log yet."""
    event: EventDict = {"level": "error", "logger": f"{ROOT}.node", "event": Masking(()).text(message)}
    stream.write(f"{_for_machines(stream)(None, 'error', event)}\n")


def adjust_levels(config: SchedulerConfig) -> None:
    """Let the log of this process tell what a configuration wants told, from now on."""
    logging.getLogger(ROOT).setLevel(config.log.level.upper())
    logging.getLogger(f"{ROOT}.engine").setLevel(logging.DEBUG if config.features.debug else logging.NOTSET)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger of the program: what it says for people is the event, what it knows are fields."""
    made: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"{ROOT}.{name}")
    return made


def _unless_told_otherwise(record: logging.LogRecord) -> bool:
    """Leave out the recorder's lines for failed attempts: the narrator tells the same, with lateness and duration."""
    return record.name != f"{ROOT}.recorder" or record.levelno >= logging.ERROR


def _left_out(count: int) -> logging.LogRecord:
    lines = counted(count, "line before this one was", "lines before this one were")
    text = f"{lines} left out: nobody read on in time"
    return logging.LogRecord(f"{ROOT}.node", logging.WARNING, __file__, 0, text, (), None)


def _of_its_run(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Say of a line which run it is of, when a handler logs it."""
    run = current_run()
    if run is not None:
        event.setdefault("run", run.id)
    return event


def _masked(masking: Masking) -> Processor:
    def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        own = {key: value for key, value in event.items() if key.startswith("_")}
        return {key: masking.value(value) for key, value in event.items() if not key.startswith("_")} | own

    return mask


def _for_machines(stream: TextIO) -> Renderer:
    plain = (stream.encoding or UTF_8).lower() != UTF_8  # what the stream cannot hold, it would escape as JSON does not
    render = structlog.processors.JSONRenderer(ensure_ascii=plain)

    def line(logger: WrappedLogger, method: str, event: EventDict) -> str:
        fields = {
            "at": datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
            "level": event.pop("level"),
            "logger": event.pop("logger"),
            "message": event.pop("event"),
            **event,
        }
        rendered = render(logger, method, fields)
        return rendered if isinstance(rendered, str) else rendered.decode()

    return line


def _for_people(stream: TextIO) -> Renderer:
    def line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        level = str(event["level"])
        when = paint(datetime.now().astimezone().isoformat(" ", "seconds"), Style.FAINT, stream)
        style = _LEVEL_STYLES.get(level)
        mark = "" if style is None else paint(level, style, stream) + "  "
        trace = f"\n{event['exception']}" if event.get("exception") else ""
        run = current_run()
        whose = "" if run is None else paint(f"  ({run.id})", Style.FAINT, stream)
        return f"{when}  {mark}{event['event']}{whose}{trace}"

    return line
