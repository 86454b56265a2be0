"""NCBI's BLAST URL API over `sequence-search`: CMD=Put, Get and Delete at one URL.

Errors have 4xx and 5xx statuses: clients such as Biopython poll forever if a page with the status
200 says FAILED or UNKNOWN.
"""

from __future__ import annotations

import tempfile
import threading
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, current_app, request, send_file
from flask.blueprints import BlueprintSetupState
from pydantic import TypeAdapter, ValidationError
from werkzeug.exceptions import HTTPException

from routes.blast import pages
from routes.http import errors, forms, rate_limits, requests, responses, streams
from routes.http.context import current_actor, services
from routes.http.guard import Guard
from services.errors import Invalid, Message, NotFound, RundeskError, TooMany
from services.models import Actor, Run, RunId, State
from services.params import model_errors
from services.search.blast import json2, tabular, xml

blast = Blueprint("blast", __name__)

RID: TypeAdapter[str] = TypeAdapter(RunId)
WAITING = "rundesk.blast.waiting"
MAX_WAITING_REQUESTS = 2  # of one process; each occupies one of its threads
MAX_WAIT = timedelta(seconds=15)
MAX_AGE_TO_WAIT = timedelta(seconds=60)  # requests do not wait for older searches
POLL_INTERVAL_S = 0.2
TYPICAL_SEARCH_S = 5  # for RTOE
OWN_SITE = frozenset({"none", "same-origin"})
STREAMED = {
    "XML": ("application/xml", xml.render),
    "JSON2_S": ("application/json", json2.render),
    "TABULAR": ("text/plain", tabular.render),
}
FORMATS = ("HTML", "Text", "XML", "JSON2", "JSON2_S", "Tabular")
COMMANDS = ("Put", "Get", "Delete")

SEARCH_NOT_FOUND = Message(
    "not_found", "Search not found.", hint="A request id (RID) has 24 hexadecimal characters."
)


@blast.record_once
def prepare(state: BlueprintSetupState) -> None:
    """Attach a limit on the number of waiting requests to the app."""
    state.app.extensions[WAITING] = threading.BoundedSemaphore(MAX_WAITING_REQUESTS)


@blast.route("/Blast.cgi", methods=["GET", "POST"])
def cgi() -> Response | str:
    """Run a command. Parameters come from the URL and the form; upper or lower case."""
    actor, params = current_actor(), _parameters()
    match params.get("CMD", "").lower():
        case "put":
            _refuse_other_sites()
            rate_limits.spend("submit", actor)
            return put(actor, params)
        case "get":
            return get(actor, params)
        case "delete":
            _refuse_other_sites()
            return delete(actor, params)
    raise Invalid(model_errors.not_allowed(COMMANDS), field="CMD")


def put(actor: Actor, params: dict[str, str]) -> str:
    """Submit a search. The page has its id (RID) and the estimated time to finish (RTOE)."""
    search = pages.search_params(params)
    query = pages.fasta(params.get("QUERY") or params.get("QUERY_FILE", ""))
    run = services().searches.submit(actor, query, params["DATABASE"], search)
    wait = run.queue.seconds if run.queue and run.queue.seconds else 0
    return pages.page(RID=run.id, RTOE=TYPICAL_SEARCH_S + int(wait))


def get(actor: Actor, params: dict[str, str]) -> Response | str:
    """Return the state of a search, or its report if it has finished."""
    kind = _format(params)
    run = _finished_run(actor, _rid(params))
    if not run.state.final:
        return pages.page(Status="WAITING")
    if run.state is not State.COMPLETE:
        return _failed(409, run.error or f"The search is {run.state}.", Status="FAILED")
    if params.get("FORMAT_OBJECT", "").lower() == "searchinfo":
        return pages.hits_page(bool(services().searches.report(actor, run).summary["hits"]))
    return _report(actor, run, kind)


def delete(actor: Actor, params: dict[str, str]) -> str:
    """Delete a search. A running one is canceled first."""
    deleted = services().searches.forget(actor, _rid(params))
    text = "Deleted." if deleted else "The search is being canceled. Delete it once it has ended."
    return pages.page(f"<p>{text}</p>\n")


@blast.errorhandler(RundeskError)
def refused(error: RundeskError) -> Response:
    error = rate_limits.count_failed_sign_in(error)
    status = errors.code_of(error).status
    facts = {"Status": "UNKNOWN"} if isinstance(error, NotFound) else {}
    reply = _failed(status, pages.sentence(error.message, error.problems), **facts)
    if status == 401:
        errors.challenge(reply)
    if isinstance(error, TooMany):
        reply.headers["Retry-After"] = str(error.seconds)
    if status == 503:
        reply.headers["Retry-After"] = str(errors.RETRY_AFTER_S)
    return reply


@blast.errorhandler(HTTPException)
def broken(error: HTTPException) -> Response:
    return _failed(error.code or 500, error.name)


def _failed(status: int, sentence: str, **facts: object) -> Response:
    """Return a page with an error; the status line has it in short."""
    reply = Response(pages.error_page(sentence, **facts), mimetype="text/html")
    reply.status = f"{status} {pages.reason(sentence)}"
    return reply


def _parameters() -> dict[str, str]:
    """Return the parameters of this request by upper-case name. Raises Invalid for duplicates."""
    items = list(forms.text_fields(request.query_string).items())
    if request.method == "POST":
        with forms.reading_form() as form:
            items += form.fields.items()
    params: dict[str, str] = {}
    for name, value in items:
        if name.upper() in params:
            field = requests.field_name("", name.upper())
            raise Invalid(requests.GIVEN_TWICE(), field=field)
        params[name.upper()] = value.strip()
    return params


def _refuse_other_sites() -> None:
    """Refuse requests from other sites. A GET can change something here, so it is checked too."""
    guard: Guard = current_app.extensions["rundesk.guard"]
    if guard.listed_origin(request.headers.get("Origin", "")):
        return
    if request.headers.get("Sec-Fetch-Site", "none") not in OWN_SITE:
        raise errors.ForeignOrigin(errors.FOREIGN_ORIGIN())


def _rid(params: dict[str, str]) -> str:
    try:
        return RID.validate_python(params.get("RID", "").lower())
    except ValidationError:
        raise NotFound(SEARCH_NOT_FOUND(), field="RID") from None


def _format(params: dict[str, str]) -> str:
    """Return the report format. For NCBI, Tabular is Text with ALIGNMENT_VIEW=Tabular."""
    kind = params.get("FORMAT_TYPE", "").upper() or "HTML"
    if kind == "TEXT" and params.get("ALIGNMENT_VIEW", "").upper() == "TABULAR":
        return "TABULAR"
    if kind not in [known.upper() for known in FORMATS]:
        raise Invalid(model_errors.not_allowed(FORMATS), field="FORMAT_TYPE")
    return kind


def _finished_run(actor: Actor, rid: str) -> Run:
    """Return the search. Wait for a new one to finish, unless too many requests wait already."""
    searches, slots = services().searches, current_app.extensions[WAITING]
    run = searches.get(actor, rid)
    if run.state.final or not slots.acquire(blocking=False):
        return run
    try:
        end = min(datetime.now(UTC) + MAX_WAIT, run.created + MAX_AGE_TO_WAIT)
        while not run.state.final and datetime.now(UTC) < end:
            if streams.STOPPING.wait(POLL_INTERVAL_S):
                break
            run = searches.get(actor, rid)
    finally:
        slots.release()
    return run


def _report(actor: Actor, run: Run, kind: str) -> Response:
    searches = services().searches
    if kind == "HTML":
        page = searches.result(actor, run, "report.html")
        return responses.inline(page, page.name, media="text/html")
    if kind == "TEXT":
        return responses.text(searches.result(actor, run, "alignments.txt"))
    report = searches.report(actor, run)
    if kind == "JSON2":
        archive = tempfile.TemporaryFile(dir=services().settings.data)  # noqa: SIM115 - the response closes it
        json2.render_zip(report, run.id, archive)
        archive.seek(0)
        return send_file(archive, "application/zip", True, f"{run.id}.zip")
    media, render = STREAMED[kind]
    return Response((piece.encode() for piece in render(report)), mimetype=media)
