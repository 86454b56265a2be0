"""The parameters and pages of NCBI's BLAST URL API. Pure functions.

Sources: the Common URL API (https://blast.ncbi.nlm.nih.gov/doc/blast-help/urlapi.html), its edition
for cloud providers with CMD=Delete (https://ncbi.github.io/blast-cloud/dev/api.html), and for the
marks that clients look for Biopython's Bio.Blast.NCBIWWW and NCBI's web_blast.pl.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any

from services.errors import Invalid, Problem

PROGRAMS = ("blastn", "blastp", "blastx", "tblastn", "tblastx")
NO_QUERY = "Message ID#32 Error: Query contains no data: Query contains no sequence data"
EXPECT = 10.0  # NCBI's default

#: Parameter of the workflow → of the URL API, for the words of errors.
NAMES = {
    "program": "PROGRAM",
    "database": "DATABASE",
    "queries": "QUERY",
    "evalue": "EXPECT",
    "max_hits": "HITLIST_SIZE",
    "min_identity": "PERC_IDENT",
    "genetic_code": "GENETIC_CODE",
}
#: What the caller would count on to choose among hits, with its values that ask for nothing.
NOT_HERE: dict[str, frozenset[str]] = {
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


def settings(asked: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of `sequence-search` that a CMD=Put asks for. Raises Invalid.

    How alignments are scored is MMseqs2's own: MATRIX, GAPCOSTS, NUCL_REWARD, NUCL_PENALTY,
    WORD_SIZE, THRESHOLD, COMPOSITION_BASED_STATISTICS have no effect.
    """
    if asked.get("PROGRAM") not in PROGRAMS:
        raise Invalid(f"This must be one of {', '.join(PROGRAMS)}.", field="PROGRAM")
    if not asked.get("DATABASE"):
        raise Invalid("This is needed.", field="DATABASE")
    for name, nothing in NOT_HERE.items():
        if asked.get(name, "").lower() not in {"", *nothing}:
            raise Invalid("This cannot be asked for here.", field=name)
    found: dict[str, Any] = {"program": asked["PROGRAM"], "evalue": EXPECT}
    for name, ours in (("EXPECT", "evalue"), ("PERC_IDENT", "min_identity")):
        if asked.get(name):
            found[ours] = _number(asked[name], name)
    if asked.get("HITLIST_SIZE"):
        found["max_hits"] = _whole(asked["HITLIST_SIZE"], "HITLIST_SIZE")
    code = "DB_GENETIC_CODE" if asked["PROGRAM"] == "tblastn" else "GENETIC_CODE"
    if asked.get(code):
        found["genetic_code"] = _whole(asked[code], code)
    if asked.get("FILTER"):
        found["mask_low_complexity"] = asked["FILTER"].lower() not in ("f", "none")
    return found


def fasta(query: str) -> str:
    """A QUERY as FASTA: that it may be, or a bare sequence, with or without line numbers.

    Raises Invalid, also for accessions: there is nowhere to look them up.
    """
    text = query.strip()
    if text.startswith(">"):
        return text + "\n"
    words = [word for word in text.split() if not word.isdecimal()]
    if not words:
        raise Invalid(NO_QUERY)
    if not all(re.fullmatch(r"[A-Za-z*-]+", word) for word in words):
        hint = "Accessions are not looked up here."
        raise Invalid("This is no sequence.", field="QUERY", hint=hint)
    return f">Query_1\n{''.join(words)}\n"


def page(message: str = "", **facts: object) -> str:
    """A page with what clients read between its QBlastInfo marks, each on a line."""
    lines = "".join(f"    {_fact(name, value)}\n" for name, value in facts.items())
    return PAGE.format(facts=lines, message=message)


def error_page(message: str, **facts: object) -> str:
    """A page that says what is wrong as NCBI's do."""
    told = message if message.startswith("Message ID#") else f"Message ID#24 Error: {message}"
    return page(f'<p class="error">{html.escape(told)}</p>\n', **facts)


def hits_page(found: bool) -> str:
    """The page for FORMAT_OBJECT=SearchInfo of a search that is over."""
    info = f"ThereAreHits={'yes' if found else 'no'}"
    return page(f"<!--\nQBlastInfoBegin\n    {info}\nQBlastInfoEnd\n-->\n", Status="READY")


def sentence(message: str, problems: tuple[Problem, ...]) -> str:
    """An error in one line, its fields by their names in a request."""
    told = [f"{_name(one.field)}: {one.message} {one.hint}".strip() for one in problems]
    return " ".join(told) or message


def reason(sentence: str) -> str:
    """A sentence fit for the status line, where clients show it that do not read the page."""
    return re.sub(r"[^ -~]+", " ", sentence)[:200].strip() or "Error"


def _fact(name: str, value: object) -> str:
    """`RID = x` and `Status=x`, as NCBI writes them and clients look for."""
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
        raise Invalid("This must be a number.", field=name)
    return value


def _whole(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid("This must be a whole number.", field=name)
    return int(text)
