"""Exceptions, as they are kept: by whom, since when, and until when they hold (A4.3).

All of them are one document, so that any number of nodes and commands agree on what there is. What they make of the
schedules is in `excepting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from trioarm.arming.audit import AuditEntry, appended
from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.contradictions import clash
from trioarm.arming.exceptions.days import SITE, bounds
from trioarm.arming.exceptions.excepting import why
from trioarm.arming.exceptions.rules import check_rule, partitions_of
from trioarm.arming.model import Effect, ExceptionRule, InvalidRequest, KeptException, Premises
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import RepositoryError, RevisionConflict
from trioarm.core.instants import DAY, SECOND
from trioarm.engine.commands import Beside
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.rivals import FASTER, TRIES

NAMESPACE: Final = "exception"
KEY: Final = "all"
EXCEPTIONS_MAX: Final = 100
SETTLES: Final = 5 * SECOND  # from when something is said until it counts
KEPT_AFTER: Final = 3 * DAY  # until the last late arm of the last zone is decided: more than 24 h and half a day


@attrs.frozen(slots=True, kw_only=True)
class Book:
    """All exceptions there are.

    Args:
        following: the number of the next one.
        kept: those that hold, or did not long ago, in the order in which they were said.
    """

    following: int = 1
    kept: tuple[KeptException, ...] = ()

    def added(self, rule: ExceptionRule, now: int, *, declared: bool = False) -> Book:
        """Return the book with one more.

        Raises:
            InvalidRequest: it has as many as it may have.
        """
        if len(self.kept) >= EXCEPTIONS_MAX:
            raise InvalidRequest(f"there are {len(self.kept)} exceptions, and there may be no more: remove some")
        one = KeptException(number=self.following, rule=rule, said_at=now, declared=declared)
        return Book(following=self.following + 1, kept=(*self.kept, one))

    def ended(self, numbers: Sequence[int]) -> Book:
        """Return the book in which some are to be taken back."""
        ended = (attrs.evolve(one, ending=True) if one.number in numbers and one.holds else one for one in self.kept)
        return attrs.evolve(self, kept=tuple(ended))

    def settled(self, at: int) -> Book:
        """Return the book in which everything counts from an instant on that did not yet."""
        return attrs.evolve(
            self, kept=tuple(_settled(one, at) for one in self.kept if one.since_at is not None or not one.ending)
        )

    def swept(self, now: int) -> Book:
        """Return the book without those that mean nothing any more."""
        return attrs.evolve(self, kept=tuple(one for one in self.kept if now < _forgotten_at(one)))

    def declaring(self, rules: Sequence[ExceptionRule], now: int) -> Book:
        """Return the book in which these are what a file wants, and no others of a file hold.

        Raises:
            InvalidRequest: they are too many.
        """
        book = self.swept(now)
        gone = [one.number for one in book.kept if one.declared and one.holds and one.rule not in rules]
        book = book.ended(gone)
        held = [one.rule for one in book.kept if one.declared and one.holds]
        for rule in dict.fromkeys(rules):
            if rule not in held and now < bounds(rule, "UTC")[1] + DAY:
                book = book.added(rule, now, declared=True)
        return book


class Exceptions:
    """The exceptions of a store.

    Args:
        repository: where they are kept.
        clock: what time it is.
    """

    def __init__(self, repository: ScheduleRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock

    async def read(self) -> Book:
        """Return all there are.

        Raises:
            RepositoryError: the store cannot be used, or what it keeps cannot be understood.
        """
        return (await self._read())[0]

    async def foresee(self, rules: Sequence[ExceptionRule]) -> Book:
        """Return what will count once these are what the file wants; nothing is changed.

        Raises:
            RepositoryError: the store cannot be used, or what it keeps cannot be understood.
            InvalidRequest: they are too many.
        """
        now = self._clock.look()
        return (await self.read()).declaring(rules, now).settled(now)

    async def declare(self, rules: Sequence[ExceptionRule], premises: Premises, *, by: str) -> Book:
        """Let these be what the file wants.

        Raises:
            RevisionConflict: others kept changing them.
            RepositoryError: the store cannot be used, or what it keeps cannot be understood.
            InvalidRequest: they are too many.
        """
        for _ in range(TRIES):
            now = self._clock.look()
            book, version = await self._read()
            declared = book.declaring(rules, now)
            if declared == book:
                return book
            if await self._write(declared, version, _entries(book, declared, premises, by), now):
                return declared
        raise RevisionConflict(f"exceptions: {FASTER}")

    async def add(self, rule: ExceptionRule, premises: Premises) -> KeptException:
        """Keep one more.

        Raises:
            InvalidRequest: it means nothing, would change nothing that is to come, or contradicts something else.
            RevisionConflict: others kept changing them.
            RepositoryError: the store cannot be used.
        """
        check_rule(rule, premises)
        for _ in range(TRIES):
            now = self._clock.look()
            book, version = await self._read()
            added = book.swept(now).added(rule, now)
            _refuse_unfit(rule, attrs.evolve(premises, exceptions=book.settled(now).kept), added.kept[-1], now)
            if await self._write(added, version, _entries(book, added, premises, rule.author), now):
                return added.kept[-1]
        raise RevisionConflict(f"exceptions: {FASTER}")

    async def remove(self, number: int, premises: Premises, *, by: str) -> KeptException:
        """Take one back: what it has changed by now stays as it is.

        Raises:
            InvalidRequest: there is none of that number, or a file declares it.
            RevisionConflict: others kept changing them.
            RepositoryError: the store cannot be used.
        """
        for _ in range(TRIES):
            now = self._clock.look()
            book, version = await self._read()
            found = next((one for one in book.kept if one.number == number and one.holds), None)
            if found is None:
                raise InvalidRequest(f"there is no exception {number}: `trioarm exceptions list` shows what there is")
            if found.declared:
                raise InvalidRequest(f"exception {number} is declared in the configuration file: remove it there")
            ended = book.ended([number])
            if await self._write(ended, version, _entries(book, ended, premises, by), now):
                return found
        raise RevisionConflict(f"exceptions: {FASTER}")

    async def settling(self) -> tuple[Book, Beside | None]:
        """Return what is to count, and what keeps that, in the transaction that makes schedules so.

        It counts a little later than now, so that nothing comes due between what it is decided by before and after.

        Raises:
            RepositoryError: the store cannot be used, or what it keeps cannot be understood.
        """
        book, version = await self._read()
        at = self._clock.look() + SETTLES
        settled = book.settled(at)
        if settled == book:
            return book, None
        return settled, Beside(documents=[PutDocument(NAMESPACE, KEY, version, to_json(settled))], latest=at)

    async def _read(self) -> tuple[Book, int]:
        document = await self._repository.get_document(NAMESPACE, KEY)
        if document is None:
            return Book(), 0
        return from_json(Book, document.body, f"document {NAMESPACE}/{KEY}", _unreadable), document.version

    async def _write(self, book: Book, version: int, entries: Sequence[AuditEntry], now: int) -> bool:
        put = PutDocument(NAMESPACE, KEY, version, to_json(book))
        change = Change(documents=[put], journal=[appended(entry, now) for entry in entries])
        if await self._repository.commit([change]) == [Verdict.DONE]:
            return True
        document = await self._repository.get_document(NAMESPACE, KEY)  # it may have been kept all the same
        return document is not None and document.body == put.body


def _refuse_unfit(rule: ExceptionRule, premises: Premises, kept: KeptException, now: int) -> None:
    """Refuse an exception that would leave everything as it is, or make two things of a partition at one instant."""
    if bounds(rule, "UTC")[1] + DAY <= now:
        span = rule.begins if rule.begins == rule.ends else f"{rule.begins} to {rule.ends}"
        raise InvalidRequest(f"{span} is over")
    if rule.effect is Effect.VACATION:
        site = premises.sites[rule.on.removeprefix(SITE)]
        if bounds(rule, site.timezone)[0] <= now:
            raise InvalidRequest(
                f"{rule.begins} is over in {site.name}, and a vacation arms when it begins: say when you leave, "
                "like 2026-12-20T10:00"
            )
    with_it = attrs.evolve(premises, exceptions=(*premises.exceptions, attrs.evolve(kept, since_at=now)))
    schedules = engine_schedules(with_it)
    if schedules == engine_schedules(premises):
        raise InvalidRequest(
            f"nothing of {rule.on} would be any different from {rule.begins} to {rule.ends}: "
            "`trioarm preview` shows what is to come"
        )
    if (line := clash(schedules, kept, premises)) is not None:
        raise InvalidRequest(line)


def _entries(before: Book, after: Book, premises: Premises, by: str) -> list[AuditEntry]:
    """Return what the audit says of what is there and was not, and the other way round."""
    held, holding = ({one.number: one for one in book.kept if one.holds} for book in (before, after))
    over = {one.number for one in before.kept} - {one.number for one in after.kept}
    changes = [("exception", one) for number, one in holding.items() if number not in held]
    changes += [("exception_removed", one) for number, one in held.items() if number not in {*holding, *over}]
    return [
        AuditEntry(
            actor=by,
            partition=name,
            verb=verb,
            reason=f"{in_words(one.rule)} by {why(one)}",
            correlation=f"{NAMESPACE}/{one.number}",
        )
        for verb, one in changes
        for name in partitions_of(one.rule, premises)
    ]


def in_words(rule: ExceptionRule) -> str:
    """Return what an exception does, when and to what, such as `skip on 2026-12-24 for site/home`."""
    days = f"on {rule.begins}" if rule.begins == rule.ends else f"from {rule.begins} to {rule.ends}"
    return f"{what(rule)} {days} for {rule.on}"


def what(rule: ExceptionRule) -> str:
    """Return what an exception does, such as `at 23:00`."""
    match rule.effect:
        case Effect.REPLACE:
            said = [None if rule.at is None else f"at {rule.at}", rule.target]
            return ", ".join(part for part in said if part is not None)
        case Effect.HOLIDAY | Effect.WORKDAY:
            return f"as on a {rule.effect}"
        case Effect.VACATION:
            return "vacation" if rule.target is None else f"vacation, {rule.target}"
        case _:
            return rule.effect.value


def _settled(kept: KeptException, at: int) -> KeptException:
    since_at = at if kept.since_at is None else kept.since_at
    return attrs.evolve(kept, since_at=since_at, ended_at=at if kept.ending else kept.ended_at, ending=False)


def _forgotten_at(kept: KeptException) -> int:
    ends_at = bounds(kept.rule, "UTC")[1]
    return KEPT_AFTER + (ends_at if kept.ended_at is None else min(ends_at, kept.ended_at))


def _unreadable(lines: tuple[str, ...]) -> RepositoryError:
    return RepositoryError("; ".join(lines))
