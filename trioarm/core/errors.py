"""The one error tree: every error trioarm raises on purpose, saying who is at fault and what to do about it."""

from __future__ import annotations

__all__ = [
    "CalendarUnavailable",
    "ConfigurationError",
    "HandlerRefused",
    "InvalidCalendar",
    "InvalidInstant",
    "InvalidSchedule",
    "InvalidTransition",
    "InvalidTrigger",
    "RepositoryError",
    "RevisionConflict",
    "SchedulerStopped",
    "TrioarmError",
    "UnknownAlert",
    "UnknownRun",
    "UnknownSchedule",
]


class TrioarmError(Exception):
    """Root of every error raised by trioarm on purpose."""


class InvalidInstant(TrioarmError, ValueError):
    """A point in time that cannot be used: naive, unreadable, or outside the years 1 to 9999."""


class InvalidSchedule(TrioarmError, ValueError):
    """A schedule whose name, policies or arguments are outside their bounds. The caller is at fault."""


class InvalidTrigger(InvalidSchedule):
    """A trigger that cannot be understood. The message quotes the text, the field and what would be right."""


class InvalidCalendar(TrioarmError, ValueError):
    """A calendar file or feed that cannot be understood. One line: where, what stands there, what would be right."""


class CalendarUnavailable(TrioarmError):
    """A calendar file or feed could not be had, and no good copy of it is kept. One line, without its secrets."""


class ConfigurationError(TrioarmError):
    """The configuration cannot be used.

    Args:
        problems: one line each: path, value, what is allowed, and a suggestion where there is one.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class HandlerRefused(TrioarmError, TypeError):
    """A handler that could never run: not callable, not async, or without a name that survives a restart."""


class UnknownSchedule(TrioarmError, LookupError):
    """No schedule of that name is stored."""


class UnknownAlert(TrioarmError, LookupError):
    """No alert of that id is kept."""


class UnknownRun(TrioarmError, LookupError):
    """No run of that id is stored."""


class RevisionConflict(TrioarmError):
    """Somebody else changed the schedule since it was read: read it again, then repeat the change."""


class InvalidTransition(TrioarmError):
    """A run was asked to make a step its state does not allow. trioarm itself is at fault: please report it."""


class RepositoryError(TrioarmError):
    """The repository cannot be opened or used as asked; the message names it and says what to do."""


class SchedulerStopped(TrioarmError):
    """The scheduler stopped before what was waited for could happen, or was never started."""
