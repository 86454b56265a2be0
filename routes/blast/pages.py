"""The parameters and pages of NCBI's BLAST URL API. Pure functions.

Sources: the Common URL API (https://blast.ncbi.nlm.nih.gov/doc/blast-help/urlapi.html), its version
for cloud providers with CMD=Delete (https://ncbi.github.io/blast-cloud/dev/api.html), and, for the
markers that clients search for, Biopython's Bio.Blast.NCBIWWW and NCBI's web_blast.pl.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any

from services.errors import Invalid, Message, Problem
from services.params import model_errors

PROGRAMS = ("blastn", "blastp", "blastx", "tblastn", "tblastx")
DEFAULT_EXPECT = 10.0  # NCBI's default

NO_QUERY = Message(  # NCBI's own words, which clients may know
    "missing", "Message ID#32 Error: Query contains no data: Query contains no sequence data"
)
NOT_A_SEQUENCE = Message(
    "wrong_format", "Not a valid sequence.", hint="Accession numbers are not supported."
)
NOT_SUPPORTED = Message("not_allowed", "This parameter is not supported.")

#: Parameter of the workflow → parameter of the URL API, for error messages.
NAMES = {
    "program": "PROGRAM",
    "database": "DATABASE",
    "queries": "QUERY",
    "evalue": "EXPECT",
    "max_hits": "HITLIST_SIZE",
    "min_identity": "PERC_IDENT",
    "genetic_code": "GENETIC_CODE",
}
#: Unsupported parameters that select hits, with the values that select all.
UNSUPPORTED: dict[str, frozenset[str]] = {
    "ENTREZ_QUERY": frozenset({"(none)"}),
    "EQ_TEXT": frozenset(),
    "QUERY_FROM": frozenset(),
    "QUERY_TO": frozenset(),
    "PHI_PATTERN": frozenset(),
    "SERVICE": frozenset({"plain", "megablast"}),
}
PAGE = """\
<!DOCTYPE html>
<html><head><title>BLAST</title></head><body>
<!--
QBlastInfoBegin
{facts}QBlastInfoEnd
-->
{message}</body></html>
"""


def search_params(request: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of `sequence-search` for a CMD=Put. Raises Invalid.

    MMseqs2 scores alignments in its own way: MATRIX, GAPCOSTS, NUCL_REWARD, NUCL_PENALTY,
    WORD_SIZE, THRESHOLD and COMPOSITION_BASED_STATISTICS have no effect.
    """
    if request.get("PROGRAM") not in PROGRAMS:
        raise Invalid(model_errors.not_allowed(PROGRAMS), field="PROGRAM")
    if not request.get("DATABASE"):
        raise Invalid(model_errors.REQUIRED(), field="DATABASE")
    for name, neutral in UNSUPPORTED.items():
        if request.get(name, "").lower() not in {"", *neutral}:
            raise Invalid(NOT_SUPPORTED(), field=name)
    params: dict[str, Any] = {"program": request["PROGRAM"], "evalue": DEFAULT_EXPECT}
    for name, ours in (("EXPECT", "evalue"), ("PERC_IDENT", "min_identity")):
        if request.get(name):
            params[ours] = _number(request[name], name)
    if request.get("HITLIST_SIZE"):
        params["max_hits"] = _integer(request["HITLIST_SIZE"], "HITLIST_SIZE")
    code = "DB_GENETIC_CODE" if request["PROGRAM"] == "tblastn" else "GENETIC_CODE"
    if request.get(code):
        params["genetic_code"] = _integer(request[code], code)
    if request.get("FILTER"):
        params["mask_low_complexity"] = request["FILTER"].lower() not in ("f", "none")
    return params


def fasta(query: str) -> str:
    """Return a QUERY as FASTA. It is FASTA, or a bare sequence with or without line numbers.

    Raises Invalid, also for accession numbers, which are not supported.
    """
    text = query.strip()
    if text.startswith(">"):
        return text + "\n"
    words = [word for word in text.split() if not word.isdecimal()]
    if not words:
        raise Invalid(NO_QUERY())
    if not all(re.fullmatch(r"[A-Za-z*-]+", word) for word in words):
        raise Invalid(NOT_A_SEQUENCE(), field="QUERY")
    return f">Query_1\n{''.join(words)}\n"


def page(message: str = "", **facts: object) -> str:
    """Return a page with the facts that clients read between its QBlastInfo markers."""
    lines = "".join(f"    {_fact(name, value)}\n" for name, value in facts.items())
    return PAGE.format(facts=lines, message=message)


def error_page(message: str, **facts: object) -> str:
    """Return a page with an error, in the form of NCBI's."""
    error = message if message.startswith("Message ID#") else f"Message ID#24 Error: {message}"
    return page(f'<p class="error">{html.escape(error)}</p>\n', **facts)


def hits_page(any_hits: bool) -> str:
    """Return the page for FORMAT_OBJECT=SearchInfo of a search that has finished."""
    info = f"ThereAreHits={'yes' if any_hits else 'no'}"
    return page(f"<!--\nQBlastInfoBegin\n    {info}\nQBlastInfoEnd\n-->\n", Status="READY")


def sentence(message: str, problems: tuple[Problem, ...]) -> str:
    """Return an error as one line, with the names of the fields in a request."""
    lines = [f"{_name(p.field)}: {p.message} {p.hint}".strip() for p in problems]
    return " ".join(lines) or message


def reason(sentence: str) -> str:
    """Return a sentence for the status line, which clients show that do not read the page."""
    return re.sub(r"[^ -~]+", " ", sentence)[:200].strip() or "Error"


def _fact(name: str, value: object) -> str:
    """Return `RID = x` or `Status=x`, as NCBI writes them and clients expect."""
    return f"{name} = {value}" if name in ("RID", "RTOE") else f"{name}={value}"


def _name(field: str) -> str:
    top, _, name = field.partition(".")
    return NAMES.get(name, name) if top == "params" else field


def _number(text: str, name: str) -> float:
    try:
        value = float(text[:40])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Invalid(model_errors.NOT_A_NUMBER(), field=name)
    return value


def _integer(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid(model_errors.NOT_AN_INTEGER(), field=name)
    return int(text)
