"""The HTML report, one self-contained file."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from sequence_search.alignment import SIMILAR
from sequence_search.hits import Hit, Result
from sequence_search.plan import Plan

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ["base", "summary", "queries", "coverage", "hits", "alignments", "start"]

# Longer alignments would slow the browser down; they are in alignments.txt only.
MAX_ALIGNMENT_COLUMNS = 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum numbers of hits and alignments, and whether alignments.txt is written."""

    hits: int
    alignments: int
    alignments_text: bool


def build_page(
    plan: Plan, read: Callable[[], Iterable[Result]], limits: Limits, made: datetime
) -> str:
    """Return the page. `read` is called twice and starts from the first result each time."""
    counts = [len(result.hits) for result in read()]
    data = payload(plan, read(), counts, limits)
    data["made"] = made.strftime("%Y-%m-%d %H:%M UTC")
    return fill_template(f"{plan.queries.file} against {plan.database.file}", data)


def payload(plan: Plan, results: Iterable[Result], counts: Sequence[int], limits: Limits) -> dict:
    """Return the data of the page. Hits are lists in the order of HIT_FIELDS in base.js."""
    hit_depth = fair_depth(counts, limits.hits)
    listed = [min(count, hit_depth) for count in counts]
    alignment_depth = fair_depth(listed, limits.alignments)
    targets = TargetIndex()
    queries = [query_entry(result, targets, hit_depth, alignment_depth) for result in results]
    return {
        "program": plan.program,
        "queryType": plan.queries.type,
        "databaseType": plan.database.type,
        "protein": not plan.nucleotides_compared,
        "queryStep": 3 if plan.query_translated else 1,
        "targetStep": 3 if plan.target_translated else 1,
        "queriesFile": plan.queries.file,
        "queryLetters": plan.queries.letters,
        "databaseFile": plan.database.file,
        "databaseSequences": plan.database.sequences,
        "databaseLetters": plan.database.letters,
        "settings": plan.settings,
        "exhaustive": plan.exhaustive,
        "version": plan.mmseqs_version,
        "notes": plan.notes,
        "totalHits": sum(counts),
        "listedHits": sum(listed),
        "hitDepth": hit_depth,
        "alignmentDepth": alignment_depth,
        "longestAlignment": MAX_ALIGNMENT_COLUMNS,
        "alignmentsText": limits.alignments_text,
        "similar": sorted(SIMILAR),
        "queries": queries,
        "targets": targets.entries,
    }


def fair_depth(counts: Sequence[int], limit: int) -> int:
    """Return the largest number of best hits per query whose total is at most `limit`."""
    depth, used = 0, 0
    deepest = max(counts, default=0)
    while depth < deepest:
        used += sum(count > depth for count in counts)
        if used > limit:
            break
        depth += 1
    return depth


class TargetIndex:
    """List of database sequences without duplicates; hits refer to them by position."""

    def __init__(self):
        self.entries: list[list] = []
        self.positions: dict[str, int] = {}

    def position(self, hit: Hit) -> int:
        target = hit.target
        if target.name not in self.positions:
            self.positions[target.name] = len(self.entries)
            self.entries.append([target.name, target.description, target.length])
        return self.positions[target.name]


def query_entry(result: Result, targets: TargetIndex, hit_depth: int, alignment_depth: int) -> list:
    query = result.query
    hits = [
        hit_entry(hit, targets, with_alignment=index < alignment_depth)
        for index, hit in enumerate(result.hits[:hit_depth])
    ]
    return [query.name, query.description, query.length, len(result.hits), hits]


def hit_entry(hit: Hit, targets: TargetIndex, with_alignment: bool) -> list:
    entry = [
        targets.position(hit),
        hit.identity_percent,
        hit.positives_percent,
        hit.length,
        hit.mismatches,
        hit.gap_openings,
        hit.qstart,
        hit.qend,
        hit.tstart,
        hit.tend,
        float(hit.evalue),
        hit.bits,
        hit.query_coverage,
        hit.target_coverage,
        hit.query_frame,
        hit.target_frame,
    ]
    if with_alignment and hit.length <= MAX_ALIGNMENT_COLUMNS:
        entry += [hit.qaln, hit.taln]
    return entry


def script_safe(data: dict) -> str:
    """Return JSON that cannot close the script element, whatever the header lines contain."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def fill_template(title: str, data: dict) -> str:
    """Return the template with style, script and data inserted."""
    values = {
        "title": escape(title),
        "style": template("report.css"),
        "data": script_safe(data),
        "script": "\n".join(template(f"{name}.js") for name in SCRIPTS),
    }
    return "".join(pieces(template("report.html"), values))


def template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def pieces(text: str, values: dict[str, str]) -> Iterator[str]:
    """Yield the parts of a template, with each `{{name}}` replaced by its value, unescaped."""
    for index, piece in enumerate(text.replace("}}", "{{").split("{{")):
        yield values[piece] if index % 2 else piece
