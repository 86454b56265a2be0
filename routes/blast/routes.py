"""NCBI's BLAST URL API over `sequence-search`: CMD=Put, Get and Delete at one address.

What fails has an honest status: clients such as Biopython ask again for ever when a page of
status 200 says FAILED or UNKNOWN.
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
from routes.http import errors, forms, rate_limits, responses, streams
from routes.http.context import current_actor, desk
from routes.http.guard import Guard
from services.errors import Invalid, NotFound, RundeskError, TooMany
from services.models import Actor, Run, RunId, State
from services.search.blast import json2, tabular, xml

blast = Blueprint("blast", __name__)

RID: TypeAdapter[str] = TypeAdapter(RunId)
HOLDERS = "rundesk.blast.holders"
MOST_HELD = 2  # requests of one process that wait for a search, of its threads
HELD = timedelta(seconds=15)  # the longest that one waits
YOUNG = timedelta(seconds=60)  # age of a search up to which it is waited for
PAUSE = 0.2  # s between two looks at a search
USUAL = 5  # s that a search takes, for RTOE
OWN_SITE = frozenset({"none", "same-origin"})
STREAMED = {
    "XML": ("application/xml", xml.render),
    "JSON2_S": ("application/json", json2.render),
    "TABULAR": ("text/plain", tabular.render),
}
FORMATS = ("HTML", "Text", "XML", "JSON2", "JSON2_S", "Tabular")


@blast.record_once
def prepare(state: BlueprintSetupState) -> None:
    """Each app has its own places for requests that wait."""
    state.app.extensions[HOLDERS] = threading.BoundedSemaphore(MOST_HELD)


@blast.route("/Blast.cgi", methods=["GET", "POST"])
def cgi() -> Response | str:
    """Every command. Parameters are those of the address and of the form; in any case."""
    actor, asked = current_actor(), _asked()
    match asked.get("CMD", "").lower():
        case "put":
            _refuse_other_sites()
            rate_limits.spend("submit", actor)
            return put(actor, asked)
        case "get":
            return get(actor, asked)
        case "delete":
            _refuse_other_sites()
            return delete(actor, asked)
    raise Invalid("This must be Put, Get or Delete.", field="CMD")


def put(actor: Actor, asked: dict[str, str]) -> str:
    """Submit a search; the page names it and says when it may be over."""
    settings = pages.settings(asked)
    query = pages.fasta(asked.get("QUERY") or asked.get("QUERY_FILE", ""))
    run = desk().searches.submit(actor, query, asked["DATABASE"], settings)
    wait = run.queue.seconds if run.queue and run.queue.seconds else 0
    return pages.page(RID=run.id, RTOE=USUAL + int(wait))


def get(actor: Actor, asked: dict[str, str]) -> Response | str:
    """The state of a search, or its report when it is over."""
    kind = _format(asked)
    run = _settled(actor, _rid(asked))
    if not run.state.final:
        return pages.page(Status="WAITING")
    if run.state is not State.COMPLETE:
        why = run.error or f"The search is {run.state}."
        return _failed(409, why, Status="FAILED")
    if asked.get("FORMAT_OBJECT", "").lower() == "searchinfo":
        return pages.hits_page(bool(desk().searches.report(actor, run).summary["hits"]))
    return _report(actor, run, kind)


def delete(actor: Actor, asked: dict[str, str]) -> str:
    """Forget a search; from then on it is unknown. One at work is ended first."""
    gone = desk().searches.forget(actor, _rid(asked))
    told = "Deleted." if gone else "It is being ended; delete it when it is over."
    return pages.page(f"<p>{told}</p>\n")


@blast.errorhandler(RundeskError)
def refused(error: RundeskError) -> Response:
    error = rate_limits.told(error)
    status = errors.code_of(error).status
    facts = {"Status": "UNKNOWN"} if isinstance(error, NotFound) else {}
    reply = _failed(status, pages.sentence(error.message, error.problems), **facts)
    if status == 401:
        errors.challenge(reply)
    if isinstance(error, TooMany):
        reply.headers["Retry-After"] = str(error.seconds)
    if status == 503:
        reply.headers["Retry-After"] = str(errors.RETRY_AFTER)
    return reply


@blast.errorhandler(HTTPException)
def broken(error: HTTPException) -> Response:
    return _failed(error.code or 500, error.name)


def _failed(status: int, sentence: str, **facts: object) -> Response:
    """A page that says what is wrong; in short so does its status line."""
    reply = Response(pages.error_page(sentence, **facts), mimetype="text/html")
    reply.status = f"{status} {pages.reason(sentence)}"
    return reply


def _asked() -> dict[str, str]:
    """The parameters of this request, names in capitals. Raises Invalid for any given twice."""
    given = list(forms.text_fields(request.query_string).items())
    if request.method == "POST":
        with forms.reading_form() as form:
            given += form.fields.items()
    asked: dict[str, str] = {}
    for name, value in given:
        if name.upper() in asked:
            raise Invalid("This may be given only once.", field=name.upper()[:200])
        asked[name.upper()] = value.strip()
    return asked


def _refuse_other_sites() -> None:
    """A GET changes things here, so the check that others pass without one is made for it too."""
    guard: Guard = current_app.extensions["rundesk.guard"]
    if guard.listed_origin(request.headers.get("Origin", "")):
        return
    if request.headers.get("Sec-Fetch-Site", "none") not in OWN_SITE:
        raise errors.ForeignOrigin("A page of another site may not do that.")


def _rid(asked: dict[str, str]) -> str:
    try:
        return RID.validate_python(asked.get("RID", "").lower())
    except ValidationError:
        raise NotFound("There is no such search.", field="RID") from None


def _format(asked: dict[str, str]) -> str:
    """The report asked for; NCBI has "FORMAT_TYPE=Text&ALIGNMENT_VIEW=Tabular" for the table."""
    kind = asked.get("FORMAT_TYPE", "").upper() or "HTML"
    if kind == "TEXT" and asked.get("ALIGNMENT_VIEW", "").upper() == "TABULAR":
        return "TABULAR"
    if kind not in [known.upper() for known in FORMATS]:
        raise Invalid(f"This must be one of {', '.join(FORMATS)}.", field="FORMAT_TYPE")
    return kind


def _settled(actor: Actor, rid: str) -> Run:
    """The search; a young one is waited for, as long as there is a place to wait."""
    searches, places = desk().searches, current_app.extensions[HOLDERS]
    run = searches.get(actor, rid)
    if run.state.final or not places.acquire(blocking=False):
        return run
    try:
        end = min(datetime.now(UTC) + HELD, run.created + YOUNG)
        while not run.state.final and datetime.now(UTC) < end:
            if streams.STOPPING.wait(PAUSE):
                break
            run = searches.get(actor, rid)
    finally:
        places.release()
    return run


def _report(actor: Actor, run: Run, kind: str) -> Response:
    searches = desk().searches
    if kind == "HTML":
        page = searches.result(actor, run, "report.html")
        return responses.inline(page, page.name, media="text/html")
    if kind == "TEXT":
        return responses.text(searches.result(actor, run, "alignments.txt"))
    report = searches.report(actor, run)
    if kind == "JSON2":
        archive = tempfile.TemporaryFile(dir=desk().settings.data)  # noqa: SIM115 - the reply's
        json2.render_zip(report, run.id, archive)
        archive.seek(0)
        return send_file(archive, "application/zip", True, f"{run.id}.zip")
    media, render = STREAMED[kind]
    return Response((piece.encode() for piece in render(report)), mimetype=media)
