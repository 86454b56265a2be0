"""The summary of a test."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from tests.chaos.harness import Chaos
from tests.chaos.watch import LIMITS

LINE_WIDTH = 100


def summary(chaos: Chaos) -> str:
    """Return faults, load, final states, checks and violations of a test."""
    watch, load, verdict = chaos.watch, chaos.load, chaos.verdict
    total = sum(chaos.seconds.values())
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in chaos.seconds.items())
    able = 100 * watch.able_seconds / max(1.0, total)
    attempts = sum(number * count for number, count in verdict.attempts.items())
    lines = [
        f"seed {chaos.seed}: {len(chaos.accepted)} runs, {sum(chaos.struck.values())} faults,"
        f" {total:.0f} s ({phases}), load average {os.getloadavg()[0]:.1f}",
        *_count_lines("faults", chaos.struck),
        *_count_lines("load", load.done),
        *_count_lines("final states", verdict.counts),
        *_count_lines("resumed and completed after the faults", chaos.healed),
        f"  attempts: {attempts} ({max(verdict.attempts, default=0)} at most for one run);"
        f" jobs started: {verdict.starts}",
        *_count_lines("checked", {**watch.done, "results by hash": verdict.hashes}),
        f"  the installation was able to work {able:.0f} % of the time; longest delays in it:",
        *(
            f"    {watch.longest[what]:4.1f} s of {limit:.0f} s  {what} ({invariant})"
            for what, (invariant, limit) in LIMITS.items()
        ),
        f"    {watch.slowest_503:4.1f} s until the API returned 503 without the database",
        f"    {load.slowest:4.1f} s until a submission was accepted, outages included",
    ]
    if not chaos.world.disk.small:
        lines.append("  no disk was filled, because this host does not permit mounts")
    lines.append(f"{len(chaos.violations.found)} violations")
    lines += [f"  {violation}" for violation in chaos.violations.found]
    if chaos.violations.found:
        lines.append(f"evidence: {chaos.folder / 'evidence'}")
    return "\n".join(lines)


def _count_lines(title: str, counts: Mapping[str, int]) -> Sequence[str]:
    """Return counts in lines of at most LINE_WIDTH characters."""
    lines, line = [], f"  {title}:"
    for name, count in sorted(counts.items()):
        part = f" {count} {name},"
        if len(line) + len(part) > LINE_WIDTH:
            lines.append(line)
            line = "   "
        line += part
    return [*lines, line.rstrip(",")] if counts else []
