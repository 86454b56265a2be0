"""SVG figure of one reference sequence: the depth of each sample, and the variants below.

The figure needs no script. Its colors are classes of the style sheet of the page, which has a light
and a dark form of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from amplicon_variants.variants import Call, Variant

LABEL = 150  # px for sample names
RIGHT = 96
PLOT = 840  # px for the reference
DEPTH_ROW = 40
CELL_HEIGHT = 26
CELL_WIDTH = 46
NARROW = 18  # px of a cell if there are many variants
FAN = 44  # px between the reference and the variant names
LETTER = 5.4  # px of height per letter of a rotated variant name
MAX_ALLELE_LETTERS = 12  # longer alleles are shortened
STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Track:
    """Data of the figure of one sequence."""

    name: str
    length: int
    samples: Sequence[str]
    depths: Mapping[str, Sequence[float]]  # sample → mean depth of each column
    variants: Sequence[Variant]


def draw(track: Track) -> str:
    """Return one SVG element."""
    cell = CELL_WIDTH if len(track.variants) * CELL_WIDTH <= PLOT else NARROW
    matrix = len(track.variants) * cell
    width = LABEL + max(PLOT, matrix) + RIGHT
    parts, y = depth_rows(track)
    axis, y = axis_of(track, y)
    parts += axis
    if track.variants:
        lines, y = fan(track, cell, y)
        parts += lines
        cells, y = matrix_of(track, cell, y)
        parts += cells
    label = f"{track.name}: depth in {len(track.samples)} samples, {len(track.variants)} variants"
    return (
        f'<svg viewBox="0 0 {width} {y + 8}" width="{width}" height="{y + 8}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def depth_rows(track: Track) -> tuple[list[str], int]:
    """Return one area per sample, all with the same scale, and the next y position."""
    highest = max((max(depths, default=0) for depths in track.depths.values()), default=0) or 1
    parts = []
    y = 8
    for sample in track.samples:
        base = y + DEPTH_ROW - 6
        parts.append(text(LABEL - 12, base - 10, sample, "end", "label", LABEL - 20))
        parts.append(f'<path class="depth" d="{area(track.depths[sample], base, highest)}"/>')
        parts.append(line(LABEL, base, LABEL + PLOT, base, "grid"))
        peak = max(track.depths[sample], default=0)
        words = f"max. {peak:,.0f} reads" if peak else "no reads"
        parts.append(text(LABEL + PLOT + 8, base, words, "start", "small"))
        y += DEPTH_ROW
    return parts, y


def area(depths: Sequence[float], base: int, highest: float) -> str:
    """Return the path of an area with one step per column."""
    step = PLOT / max(len(depths), 1)
    points = [f"M{LABEL} {base}"]
    for index, depth in enumerate(depths):
        top = base - depth / highest * (DEPTH_ROW - 12)
        points.append(f"V{top:.1f}H{LABEL + (index + 1) * step:.1f}")
    return "".join([*points, f"V{base}Z"])


def axis_of(track: Track, y: int) -> tuple[list[str], int]:
    """Return the axis of the reference, and the next y position."""
    y += 20
    parts = [line(LABEL, y, LABEL + PLOT, y, "axis")]
    parts.append(text(LABEL - 12, y + 4, track.name, "end", "label strong", LABEL - 20))
    for position in ticks(track.length):
        x = x_of(position, track.length)
        parts.append(line(x, y - 4, x, y, "axis"))
        parts.append(text(x, y - 7, f"{position:,}", "middle", "small"))
    return parts, y


def ticks(length: int) -> list[int]:
    """Return about eight round positions."""
    power = 10 ** max(len(str(length // 8)) - 1, 0)
    step = next((power * m for m in STEPS if power * m >= length / 8), power * 10)
    return list(range(step, length + 1, step))


def x_of(position: int, length: int) -> float:
    return LABEL + (position - 0.5) / length * PLOT


def fan(track: Track, cell: int, y: int) -> tuple[list[str], int]:
    """Return lines from the position of each variant to its column, and the name of each column."""
    names = [head_of(variant) for variant in track.variants]
    middle = y + FAN
    bottom = middle + 14 + LETTER * max(map(len, names))
    parts = []
    for index, (name, variant) in enumerate(zip(names, track.variants, strict=True)):
        x = x_of(variant.position, track.length)
        column = LABEL + index * cell + cell / 2
        parts.append(f'<circle class="spot" cx="{x:.1f}" cy="{y}" r="3.5"/>')
        bend = f"C{x:.1f} {y + 26} {column:.1f} {middle - 26} {column:.1f} {middle}"
        parts.append(f'<path class="link" d="M{x:.1f} {y + 4}{bend}V{bottom - 4:.1f}"/>')
        turn = f'transform="rotate(-60 {column + 5:.1f} {bottom - 6:.1f})"'
        parts.append(text(column + 5, bottom - 6, name, "start", "head", attributes=turn))
    return parts, round(bottom)


def head_of(variant: Variant) -> str:
    return f"{variant.position:,} {short(variant.reference)}>{short(variant.alternative)}"


def short(allele: str) -> str:
    return allele if len(allele) <= MAX_ALLELE_LETTERS else f"{allele[: MAX_ALLELE_LETTERS - 1]}…"


def matrix_of(track: Track, cell: int, y: int) -> tuple[list[str], int]:
    """Return one row per sample with one cell per variant, and the next y position."""
    parts = []
    for sample in track.samples:
        parts.append(text(LABEL - 12, y + 17, sample, "end", "label", LABEL - 20))
        for index, variant in enumerate(track.variants):
            parts.append(square(sample, variant, LABEL + index * cell, y, cell))
        y += CELL_HEIGHT
    return parts, y


def square(sample: str, variant: Variant, x: int, y: int, cell: int) -> str:
    call = variant.calls[sample]
    frame = f'x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{CELL_HEIGHT - 2}" rx="4"'
    tip = f"<title>{escape(call_description(sample, variant, call))}</title>"
    if not call.known:
        return f'<g><rect class="unknown" {frame}/>{tip}</g>'
    shade = call.fraction or 0.0
    parts = [f'<rect class="ground" {frame}/>']
    parts.append(f'<rect class="shade" fill-opacity="{0.08 + 0.92 * shade:.2f}" {frame}/>')
    if cell >= CELL_WIDTH:
        kind = "cell on" if shade > 0.55 else "cell"
        parts.append(text(x + cell / 2, y + 17, call.genotype, "middle", kind))
    return f"<g>{''.join(parts)}{tip}</g>"


def call_description(sample: str, variant: Variant, call: Call) -> str:
    change = f"{variant.sequence}:{variant.position:,} {variant.reference}>{variant.alternative}"
    if not call.known:
        return f"{sample}, {change}: not called"
    reads = f"{call.other_reads} of {call.depth} reads"
    return f"{sample}, {change}: genotype {call.genotype}, {reads}"


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(
    x: float, y: float, words: str, anchor: str, kind: str, room: int = 0, attributes: str = ""
) -> str:
    """Return a text element; text wider than `room` px is shortened and gets a tooltip."""
    most = room // 7 if room else len(words)
    shown = words if len(words) <= most else f"{words[: most - 1]}…"
    tip = f"<title>{escape(words)}</title>" if shown != words else ""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {attributes}>'
        f"{escape(shown)}{tip}</text>"
    )
