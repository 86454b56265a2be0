"""The outcome in a few lines."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from tests.chaos.harness import Chaos
from tests.chaos.watch import LIMITS

WIDTH = 100


def summary(chaos: Chaos) -> str:
    """What was done, what came of it, what was checked, and what went wrong."""
    watch, load, verdict = chaos.watch, chaos.load, chaos.verdict
    total = sum(chaos.seconds.values())
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in chaos.seconds.items())
    able = 100 * watch.able_seconds / max(1.0, total)
    attempts = sum(number * count for number, count in verdict.attempts.items())
    lines = [
        f"seed {chaos.seed}: {len(chaos.accepted)} runs, {sum(chaos.struck.values())} faults,"
        f" {total:.0f} s ({phases}), load average {os.getloadavg()[0]:.1f}",
        *_listed("faults", chaos.struck),
        *_listed("load", load.done),
        *_listed("ends", verdict.counts),
        *_listed("completed when resumed in the calm", chaos.healed),
        f"  attempts: {attempts} ({max(verdict.attempts, default=0)} at most for one run);"
        f" jobs started: {verdict.starts}",
        *_listed("checked", {**watch.done, "results by hash": verdict.hashes}),
        f"  the desk was able to work {able:.0f} % of the time; in that time, at the longest:",
        *(
            f"    {watch.longest[what]:4.1f} s of {limit:.0f} s  {what} ({invariant})"
            for what, (invariant, limit) in LIMITS.items()
        ),
        f"    {watch.slowest_503:4.1f} s until the API said 503 while the database was away",
        f"    {load.slowest:4.1f} s until a submission was taken, outages included",
    ]
    if not chaos.world.disk.small:
        lines.append("  no disk was filled: this host permits no mount")
    lines.append(f"{len(chaos.violations.found)} violations")
    lines += [f"  {violation}" for violation in chaos.violations.found]
    if chaos.violations.found:
        lines.append(f"evidence: {chaos.folder / 'evidence'}")
    return "\n".join(lines)


def _listed(title: str, counts: Mapping[str, int]) -> Sequence[str]:
    """Counts in lines of at most WIDTH characters."""
    lines, line = [], f"  {title}:"
    for name, count in sorted(counts.items()):
        part = f" {count} {name},"
        if len(line) + len(part) > WIDTH:
            lines.append(line)
            line = "   "
        line += part
    return [*lines, line.rstrip(",")] if counts else []
