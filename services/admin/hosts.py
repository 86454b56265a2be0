"""The hosts that execute runs, and what happens with the runs of one that is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from services.database import Database
from services.database.hosts import Host
from services.database.queue import Lease
from services.database.runs import Outcome
from services.errors import Conflict, Message, NotFound, TransitionRefused
from services.models import Cause, CauseKind, State

ALIVE_WITHIN = timedelta(seconds=30)  # since the last heartbeat; there is one every 5 s

UNKNOWN_HOST = Message("not_found", "There is no host {name}.", hint="rundesk hosts list")
STILL_ALIVE = Message(
    "wrong_state",
    "The runner of {name} was alive {seconds} s ago.",
    hint="Stop it first. Its runs continue until they end.",
)
HOST_LOST = Message("system_error", "The host {name} was declared lost by an administrator.")
CANCELED = Message("canceled", "Canceled on request.")


class Hosts:
    """Lists hosts and settles the runs of lost ones."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._clock = clock

    def list(self) -> list[tuple[Host, int]]:
        """Return the hosts with the number of their live runs."""
        leases = self._database.queue.leases()
        known = {host.name: host for host in self._database.hosts.all()}
        for lease in leases:  # of a host that never sent a heartbeat
            known.setdefault(lease.host, Host(lease.host, lease.until))
        return [
            (host, sum(lease.host == name for lease in leases))
            for name, host in sorted(known.items())
        ]

    def lose(self, name: str) -> int:
        """Return the live runs of a host that is gone to the queue; return how many there were.

        The next attempt has another number, so nothing that the host still writes to the database
        is accepted. Raises NotFound, and Conflict while its runner is alive.
        """
        hosts = {host.name: host for host, _ in self.list()}
        if name not in hosts:
            raise NotFound(UNKNOWN_HOST(name=name))
        known = {host.name: host for host in self._database.hosts.all()}
        age = self._clock() - known[name].seen if name in known else ALIVE_WITHIN
        if age < ALIVE_WITHIN:
            raise Conflict(STILL_ALIVE(name=name, seconds=max(0, round(age.total_seconds()))))
        leases = [lease for lease in self._database.queue.leases() if lease.host == name]
        for lease in leases:
            with suppress(TransitionRefused):  # settled meanwhile
                self._release(lease, name)
        self._database.hosts.remove(name)
        return len(leases)

    def _release(self, lease: Lease, name: str) -> None:
        canceling = lease.state is State.CANCELING
        text = CANCELED() if canceling else HOST_LOST(name=name)
        kind = CauseKind.CANCELED if canceling else CauseKind.HOST_LOST
        state = State.CANCELED if canceling else State.SYSTEM_ERROR  # of the attempt
        now = self._clock()
        self._database.jobs.close(lease.run_id, lease.attempt, state, now=now)
        self._database.runs.end(
            lease.run_id,
            lease.attempt,
            State.CANCELED if canceling else State.QUEUED,
            now=now,
            note=str(text),
            cause=Cause(kind=kind, message=str(text), hint=text.hint),
            outcome=Outcome(state),
        )
