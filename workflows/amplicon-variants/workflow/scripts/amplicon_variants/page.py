"""HTML page of the variants: one self-contained file without scripts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from short_reads.multiqc import Tool

from amplicon_variants.picture import Track, call_description, draw, short
from amplicon_variants.variants import Variant

TEMPLATES = Path(__file__).parent / "templates"
MAX_VARIANTS = 300  # in figures and table; if there are more, those of the highest quality
MAX_SEQUENCES = 20  # in figures


@dataclass(frozen=True, slots=True)
class Findings:
    """Content of the page. `tracks` and `listed` may be limited to a part of the data."""

    samples: Sequence[str]
    tracks: Sequence[Track]
    listed: Sequence[Variant]
    passed: int
    filtered: int  # variants that failed a filter
    sequences: int
    settings: Mapping[str, Any]
    tools: Sequence[Tool]
    made: str


def build_page(found: Findings) -> str:
    values = {
        "style": (TEMPLATES / "variants.css").read_text(encoding="utf-8"),
        "facts": facts(found),
        "notes": "".join(f'<p class="note">{escape(note)}</p>' for note in notes(found)),
        "pictures": "".join(
            f'<div class="panel scroll">{draw(track)}</div>' for track in found.tracks
        ),
        "table": table(found.samples, found.listed),
        "settings": "".join(
            f"<div><dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd></div>"
            for key, value in found.settings.items()
        ),
        "tools": "".join(cited(tool) for tool in found.tools),
        "made": escape(found.made),
    }
    page = (TEMPLATES / "variants.html").read_text(encoding="utf-8")
    return "".join(pieces(page, values))


def pieces(text: str, values: Mapping[str, str]) -> Iterable[str]:
    """Yield the parts of a template, with each `{{name}}` replaced by its value, unescaped."""
    for index, piece in enumerate(text.replace("}}", "{{").split("{{")):
        yield values[piece] if index % 2 else piece


def facts(found: Findings) -> str:
    shared = sum(variant.carriers == len(found.samples) for variant in found.listed)
    figures = [
        ("Samples", f"{len(found.samples):,}"),
        ("Variants", f"{found.passed:,}"),
        ("Shared by all samples", f"{shared:,}"),
        ("Failed a filter", f"{found.filtered:,}"),
    ]
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)


def notes(found: Findings) -> list[str]:
    sentences = []
    if not found.passed:
        sentences.append("No variants passed the filters.")
    if len(found.listed) < found.passed:
        sentences.append(
            f"This page shows only the {len(found.listed):,} variants with the highest quality. "
            "variants.tsv contains all variants."
        )
    if len(found.tracks) < found.sequences:
        sentences.append(
            f"The figures show {len(found.tracks):,} of {found.sequences:,} reference sequences."
        )
    return sentences


def table(samples: Sequence[str], variants: Sequence[Variant]) -> str:
    if not variants:
        return ""
    heads = ["Sequence", "Position", "Change", "Type", "Quality", "Depth", *samples]
    rows = "".join(table_row(samples, variant) for variant in variants)
    cells = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def table_row(samples: Sequence[str], variant: Variant) -> str:
    change = f"{short(variant.reference)}>{short(variant.alternative)}"
    cells = [
        f"<td>{escape(variant.sequence)}</td>",
        f'<td class="num">{variant.position:,}</td>',
        f'<td class="change" title="{escape(f"{variant.reference}>{variant.alternative}")}">'
        f"{escape(change)}</td>",
        f"<td>{variant.type}</td>",
        f'<td class="num">{variant.quality:,.0f}</td>',
        f'<td class="num">{variant.depth:,}</td>',
    ]
    for sample in samples:
        call = variant.calls[sample]
        kind = "has" if call.has_it else "not"
        reads = f"{call.other_reads}/{call.depth}"
        cells.append(
            f'<td class="{kind}" title="{escape(call_description(sample, variant, call))}">'
            f"{escape(call.genotype)} <small>{reads}</small></td>"
        )
    return f"<tr>{''.join(cells)}</tr>"


def cited(tool: Tool) -> str:
    return (
        f"<li><b>{escape(tool.package)}</b> {escape(tool.version)}, {escape(tool.role)}. "
        f"{escape(tool.citation)} doi:{escape(tool.doi)}</li>"
    )
