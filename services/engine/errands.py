"""What a supervisor has the runner do for it: to tell the database how its attempt ended.

The runner has a connection; to open one takes longer than many a run. The supervisor stays
responsible: when no word comes back, it settles its attempt itself, and to do that twice changes
nothing.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import threading

from services.database import Database
from services.engine.settling import Attempt, Ended, record
from services.errors import DatabaseUnavailable, TransitionRefused
from services.settings import Settings

log = logging.getLogger("rundesk.errands")

MESSAGE = 1 << 16  # bytes of the largest errand
PATIENCE = 1.0  # s that a supervisor waits for it to be done
DONE = b"done"


class Errands:
    """The runner's end: one thread does them one after the other."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._socket, self.door = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._thread = threading.Thread(target=self._work, name="errands", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Do no more of them: who asks from now on learns it at once."""
        self.door.close()
        self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _work(self) -> None:
        while True:
            errand, replies, _, _ = socket.recv_fds(self._socket, MESSAGE, 1)
            if not errand:
                return
            try:
                if self._done(errand) and replies:
                    os.write(replies[0], DONE)
            except OSError:  # nobody waits any more
                log.info("an errand took too long")
            finally:
                for reply in replies:
                    os.close(reply)

    def _done(self, errand: bytes) -> bool:
        try:
            told = json.loads(errand)
            attempt = Attempt(self._settings, told["run"], told["attempt"])
            record(attempt, self._database, Ended.model_validate(told["ended"]))
        except TransitionRefused:
            log.warning("run %s was settled by somebody else", told["run"])
        except DatabaseUnavailable:
            return False
        except Exception:
            log.exception("a run could not be settled")
            return False
        return True


def asked(door: socket.socket, attempt: Attempt, ended: Ended) -> bool:
    """Whether the runner has recorded this end of an attempt, as `settling.record` does."""
    errand = {
        "run": attempt.run_id,
        "attempt": attempt.number,
        "ended": ended.model_dump(mode="json"),
    }
    heard, said = os.pipe2(os.O_CLOEXEC)
    try:
        with os.fdopen(said, "wb") as reply:
            words = [json.dumps(errand).encode()]
            socket.send_fds(door, words, [reply.fileno()], socket.MSG_DONTWAIT)
        ready, _, _ = select.select([heard], [], [], PATIENCE)
        return bool(ready) and os.read(heard, len(DONE)) == DONE
    except OSError:  # the runner is gone, or has too much to do
        return False
    finally:
        os.close(heard)
