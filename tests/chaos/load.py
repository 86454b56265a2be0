"""Simulated users: they submit, cancel and resume runs, and repeat unanswered requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from services.access.actors import local_actor
from services.errors import Conflict, DatabaseUnavailable, DiskFull
from services.models import RunRequest, State
from tests.chaos.accepted import KINDS, Accepted, Entry
from tests.chaos.violations import Violations
from tests.chaos.world import World

T = TypeVar("T")

ME = local_actor()
RETRY_TIMEOUT_S = 120.0  # until a repeated request is considered refused, on an idle host
LOOP_INTERVAL_S = 0.1
CANCELED_SHARE, RESUMED_SHARE, API_SHARE, LOST_ANSWER_SHARE = 0.15, 0.5, 0.5, 0.15
HTTP_TIMEOUT_S = 8.0  # a stopped API never responds


class Unanswered(Exception):
    """There was no answer, or one with a status that asks to repeat the request."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(status)
        self.status = status


class Api:
    """A client of the HTTP API."""

    def __init__(self, port: int) -> None:
        self._port = port

    def call(
        self, method: str, path: str, body: Any = None, key: str = "", *, hang_up: bool = False
    ) -> tuple[int, Any]:
        """Return status and content. Raises Unanswered. `hang_up`: disconnect before the answer."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=HTTP_TIMEOUT_S)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", content, headers)
            if hang_up:
                raise Unanswered()
            reply = connection.getresponse()
            text = reply.read()
            if reply.status in (502, 503, 507):
                raise Unanswered(reply.status)
            kind = reply.headers.get_content_type()
            return reply.status, json.loads(text) if kind == "application/json" else text
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered() from error
        finally:
            connection.close()


class Load(threading.Thread):
    """Submits `runs` runs, as many as `allowed` returns, and cancels and resumes some of them."""

    def __init__(
        self,
        world: World,
        accepted: Accepted,
        violations: Violations,
        *,
        runs: int,
        seed: int,
        allowed: Callable[[], int],
    ) -> None:
        super().__init__(name="load", daemon=True)
        self._world = world
        self._accepted = accepted
        self._violations = violations
        self._runs = runs
        self._allowed = allowed
        self._random = random.Random(f"load {seed}")
        self._stopping = threading.Event()
        self._plans: list[tuple[float, Callable[[], None]]] = []
        self.api = Api(world.settings.api_port)
        self.done: Counter[str] = Counter()
        self.slowest = 0.0  # s until a submission was accepted
        self.patience = RETRY_TIMEOUT_S  # s

    @property
    def submitted(self) -> bool:
        return len(self._accepted) >= self._runs

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        try:
            while not self._stopping.wait(LOOP_INTERVAL_S):
                if len(self._accepted) < min(self._runs, self._allowed()):
                    self._submit()
                now = time.monotonic()
                due = [plan for at, plan in self._plans if at <= now]
                self._plans = [(at, plan) for at, plan in self._plans if at > now]
                for plan in due:
                    plan()
        except Exception as error:
            self._violations.add("harness", f"the load failed: {error!r}")
            raise

    def call_until_answered(self, call: Callable[[], T]) -> T | None:
        """Repeat a call until it is answered; return None when it never is."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            try:
                return call()
            except (DatabaseUnavailable, DiskFull, Unanswered):
                self.done["calls repeated"] += 1
            time.sleep(LOOP_INTERVAL_S)
        self._violations.add("I3", f"no answer for {self.patience:.0f} s")
        return None

    # ---- submit ----------------------------------------------------------------------------------

    def _submit(self) -> None:
        draw = self._random
        kind = draw.choices(KINDS, [kind.weight for kind in KINDS])[0]
        token = f"{draw.getrandbits(64):016x}"
        params = {**kind.draw(draw), "token": token}
        request = {"workflow": kind.workflow, "params": params, "tags": [token], "name": kind.name}
        by_api, lost = draw.random() < API_SHARE, draw.random() < LOST_ANSWER_SHARE
        began = time.monotonic()
        if lost:
            self.done["answers lost"] += 1
            with contextlib.suppress(Unanswered):
                self.api.call("POST", "/runs", request, token, hang_up=True)
        run_id = self.call_until_answered(lambda: self._send(request, token, by_api=by_api))
        self.slowest = max(self.slowest, time.monotonic() - began)
        if run_id is None:
            self._accepted.unanswered += 1
            return
        entry = Entry(run_id, kind, params)
        if not self._accepted.add(entry):
            self._violations.add("I1", "two submissions got the same run", run_id)
        self.done["through the API" if by_api else "through services"] += 1
        if draw.random() < CANCELED_SHARE:
            self._plan(draw.choice([0.0, 0.3, 1.0, 3.0, 6.0]), lambda: self._cancel(entry))
        elif kind.fails and draw.random() < RESUMED_SHARE:
            self._plan(draw.uniform(3.0, 15.0), lambda: self._resume(entry))

    def _send(self, request: dict[str, Any], key: str, *, by_api: bool) -> str:
        if not by_api:
            wanted = RunRequest.model_validate(request)
            return self._world.services.runs.submit(ME, wanted, idempotency_key=key).id
        status, content = self.api.call("POST", "/runs", request, key)
        if status != 201:
            raise RuntimeError(f"a submission was answered with {status}: {content!r}")
        return str(content["data"]["id"])

    # ---- cancel and resume -----------------------------------------------------------------------

    def _plan(self, seconds: float, action: Callable[[], None]) -> None:
        self._plans.append((time.monotonic() + seconds, action))

    def _cancel(self, entry: Entry) -> None:
        entry.cancel_asked = True
        attempts = self.call_until_answered(lambda: self._request_cancel(entry.run_id))
        if attempts is None:
            return
        self._accepted.record_cancel(entry.run_id, attempts)
        self.done["cancels"] += 1
        if self._random.random() < RESUMED_SHARE:
            self._plan(self._random.uniform(1.0, 10.0), lambda: self._resume(entry))

    def _request_cancel(self, run_id: str) -> int | None:
        """Cancel a run; return its number of attempts at that time, None when it had finished."""
        services = self._world.services
        if self._random.random() < API_SHARE:
            status, content = self.api.call("POST", f"/runs/{run_id}/cancel")
            if status == 200:
                return len(content["data"]["attempts"])
        else:
            with contextlib.suppress(Conflict):
                return len(services.runs.cancel(ME, run_id).attempts)
        run = services.runs.get(ME, run_id)
        if run.state is State.CANCELED:  # an earlier request was accepted and its answer lost
            return len(run.attempts)
        if not run.state.final:
            self._violations.add("I4", f"cancel was refused for a run that is {run.state}", run_id)
        return None

    def _resume(self, entry: Entry) -> None:
        run = self.call_until_answered(lambda: self._world.services.runs.get(ME, entry.run_id))
        if run is None or not run.state.final or run.state is State.COMPLETE:
            return
        self.resume(entry)

    def resume(self, entry: Entry) -> None:
        """Resume a run; from now on it is not considered canceled."""
        entry.resumes += 1
        entry.cancel_asked, entry.canceled_at = False, None

        def ask() -> bool:
            with contextlib.suppress(Conflict):  # an earlier request was accepted
                self._world.services.runs.resume(ME, entry.run_id)
            return True

        if self.call_until_answered(ask):
            self.done["resumes"] += 1
        entry.resumes += 1
