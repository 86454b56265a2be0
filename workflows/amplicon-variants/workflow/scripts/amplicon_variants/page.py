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
class PageContent:
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


def build_page(content: PageContent) -> str:
    values = {
        "style": (TEMPLATES / "variants.css").read_text(encoding="utf-8"),
        "facts": facts(content),
        "notes": "".join(f'<p class="note">{escape(note)}</p>' for note in notes(content)),
        "pictures": "".join(
            f'<div class="panel scroll">{draw(track)}</div>' for track in content.tracks
        ),
        "table": table(content.samples, content.listed),
        "settings": "".join(
            f"<div><dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd></div>"
            for key, value in content.settings.items()
        ),
        "tools": "".join(cited(tool) for tool in content.tools),
        "made": escape(content.made),
    }
    page = (TEMPLATES / "variants.html").read_text(encoding="utf-8")
    return "".join(pieces(page, values))


def pieces(text: str, values: Mapping[str, str]) -> Iterable[str]:
    """Yield the parts of a template, with each `{{name}}` replaced by its value, unescaped."""
    for index, piece in enumerate(text.replace("}}", "{{").split("{{")):
        yield values[piece] if index % 2 else piece


def facts(content: PageContent) -> str:
    shared = sum(variant.carriers == len(content.samples) for variant in content.listed)
    figures = [
        ("Samples", f"{len(content.samples):,}"),
        ("Variants", f"{content.passed:,}"),
        ("Shared by all samples", f"{shared:,}"),
        ("Failed a filter", f"{content.filtered:,}"),
    ]
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)


def notes(content: PageContent) -> list[str]:
    sentences = []
    if not content.passed:
        sentences.append("No variants passed the filters.")
    if len(content.listed) < content.passed:
        sentences.append(
            f"This page shows only the {len(content.listed):,} variants with the highest quality. "
            "variants.tsv contains all variants."
        )
    if len(content.tracks) < content.sequences:
        sentences.append(
            f"The figures show {len(content.tracks):,} of {content.sequences:,} reference "
            "sequences."
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
