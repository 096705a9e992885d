"""What every repository must do, written against the port alone.

A test module of a repository provides a `repository` fixture, subclasses these classes, and calls `check_histories`.
Nothing here relies on records being shared between caller and repository: whatever was committed is read again.
"""

from __future__ import annotations

from tests.repositories.contract.amending import AmendingContract
from tests.repositories.contract.backfilling import BackfillingContract
from tests.repositories.contract.claiming import ClaimingContract
from tests.repositories.contract.correcting import CorrectingContract
from tests.repositories.contract.deciding import DecidingContract
from tests.repositories.contract.due import DueContract
from tests.repositories.contract.finding import FindingContract
from tests.repositories.contract.histories import check_histories
from tests.repositories.contract.keeping import KeepingContract
from tests.repositories.contract.lanes import LanesContract
from tests.repositories.contract.paging import PagingContract
from tests.repositories.contract.papers import PapersContract
from tests.repositories.contract.quotas import QuotasContract
from tests.repositories.contract.ready import ReadyContract
from tests.repositories.contract.schedules import AddingContract, SchedulesContract

__all__ = [
    "AddingContract",
    "AmendingContract",
    "BackfillingContract",
    "ClaimingContract",
    "CorrectingContract",
    "DecidingContract",
    "DueContract",
    "FindingContract",
    "KeepingContract",
    "LanesContract",
    "PagingContract",
    "PapersContract",
    "QuotasContract",
    "ReadyContract",
    "SchedulesContract",
    "check_histories",
]
