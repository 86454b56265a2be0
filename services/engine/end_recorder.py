"""Records the end of an attempt in the database on behalf of its supervisor.

The runner has a connection, and opening one takes longer than many a run. The supervisor stays
responsible: without an answer it records the end itself. Recording it twice changes nothing.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import threading

from services.database import Database
from services.engine.brake import Brake
from services.engine.settling import AttemptTarget, ExitRecord, record_end
from services.errors import DatabaseUnavailable, TransitionRefused
from services.settings import Settings

log = logging.getLogger("rundesk.end_recorder")

MAX_REQUEST_BYTES = 1 << 16
ANSWER_TIMEOUT_S = 1.0
RECORDED = b"done"


class EndRecorder:
    """The runner's end: one thread that records ends, one after the other."""

    def __init__(self, settings: Settings, database: Database, brake: Brake | None = None) -> None:
        self._settings = settings
        self._database = database
        self._brake = brake or Brake()
        self._socket, self.runner_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._thread = threading.Thread(target=self._serve, name="end-recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Accept no more requests: a supervisor that sends one gets an error immediately."""
        self.runner_socket.close()
        self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            request, replies, _, _ = socket.recv_fds(self._socket, MAX_REQUEST_BYTES, 1)
            if not request:
                return
            try:
                if self._record(request) and replies:
                    os.write(replies[0], RECORDED)
            except OSError:  # the supervisor no longer waits
                log.info("recording the end of an attempt took too long")
            finally:
                for reply in replies:
                    os.close(reply)

    def _record(self, request: bytes) -> bool:
        try:
            fields = json.loads(request)
            attempt = AttemptTarget(self._settings, fields["run"], fields["attempt"])
            record = ExitRecord.model_validate(fields["ended"])
            self._note_preparation(attempt, record)
            record_end(attempt, self._database, record)
        except TransitionRefused:
            log.warning("run %s was already settled by another process", fields["run"])
        except DatabaseUnavailable:
            return False
        except Exception:
            log.exception("the end of an attempt could not be recorded")
            return False
        return True

    def _note_preparation(self, attempt: AttemptTarget, record: ExitRecord) -> None:
        if record.started is not None:
            self._brake.succeeded()
        elif record.cause is not None and not (record.canceled or record.hopeless):
            self._brake.failed(attempt.run_id, record.cause.message)


def record_via_runner(
    runner_socket: socket.socket, attempt: AttemptTarget, record: ExitRecord
) -> bool:
    """Have the runner record the end of an attempt, as `settling.record_end` does.

    Returns whether the runner confirmed it within ANSWER_TIMEOUT_S.
    """
    fields = {
        "run": attempt.run_id,
        "attempt": attempt.number,
        "ended": record.model_dump(mode="json"),
    }
    answer, answer_end = os.pipe2(os.O_CLOEXEC)
    try:
        with os.fdopen(answer_end, "wb") as reply:
            request = [json.dumps(fields).encode()]
            socket.send_fds(runner_socket, request, [reply.fileno()], socket.MSG_DONTWAIT)
        ready, _, _ = select.select([answer], [], [], ANSWER_TIMEOUT_S)
        return bool(ready) and os.read(answer, len(RECORDED)) == RECORDED
    except OSError:  # the runner has ended or is overloaded
        return False
    finally:
        os.close(answer)
