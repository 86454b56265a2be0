"""Publishes the results of a run by writing the manifest that everything else reads.

Whatever a run leaves behind, publishing ends within its limits, and soon after a request to stop.
Files that cannot be published are left out, and the history says why.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import Message
from services.files.registry import kind_of
from services.host.atomic import write_atomically
from services.models import Highlight, Publishing, Result
from services.rundir import RunDir

TIMESTAMP = ".snakemake_timestamp"  # Snakemake marks outputs of directory() with it
MAX_FILES = 1_000_000
MAX_EXAMPLE_CHARACTERS = 200  # of the path of a file that is left out
READ_BYTES = 1024 * 1024


NOT_UTF8 = Message(
    "invalid_characters",
    "{count} files are not among the results because their names are not valid UTF-8, such as"
    " {example}.",
    one="The file {example} is not among the results because its name is not valid UTF-8.",
)
OUTSIDE = Message(
    "not_allowed",
    "{count} files are not among the results because they are links out of the run, such as"
    " {example}.",
    one="The file {example} is not among the results because it is a link out of the run.",
)
BROKEN_LINK = Message(
    "not_found",
    "{count} files are not among the results because they are links that lead to no file, such as"
    " {example}.",
    one="The file {example} is not among the results because it is a link that leads to no file.",
)
LOOP = Message(
    "not_allowed",
    "{count} files are not among the results because they are links in a loop, such as {example}.",
    one="The file {example} is not among the results because it is a link in a loop.",
)
SPECIAL = Message(
    "not_allowed",
    "{count} files are not among the results because they are not regular files, such as"
    " {example}.",
    one="The file {example} is not among the results because it is not a regular file.",
)
TOO_LARGE = Message(
    "limit_reached",
    "{count} files are not among the results because all results would exceed"
    " RUNDESK_MAX_OUTPUT, such as {example}.",
    one="The file {example} is not among the results because all results would exceed"
    " RUNDESK_MAX_OUTPUT.",
)
TOO_MANY = Message(
    "limit_reached",
    "{count} files are not among the results because the run has too many results, such as"
    " {example}.",
    one="The file {example} is not among the results because the run has too many results.",
)
TOO_LATE = Message(
    "limit_reached",
    "{count} files are not among the results because listing the results took too long, such as"
    " {example}.",
    one="The file {example} is not among the results because listing the results took too long.",
)


class PublishingStopped(Exception):
    """Publishing was asked to stop."""


@dataclass
class Limits:
    """What publishing may take, and how it is stopped."""

    max_bytes: int
    is_stopped: Callable[[], bool] = lambda: False
    is_late: Callable[[], bool] = lambda: False

    def check(self) -> None:
        """Raise PublishingStopped when publishing was asked to stop."""
        if self.is_stopped():
            raise PublishingStopped


@dataclass
class Omitted:
    """The files that are left out: for each reason their number and the first of them."""

    reasons: dict[Message, tuple[int, str]] = field(default_factory=dict)

    def add(self, path: str, reason: Message) -> None:
        count, example = self.reasons.get(reason, (0, path))
        self.reasons[reason] = count + 1, example

    def note(self) -> str:
        """Return a sentence for each reason; empty when nothing is left out."""
        return " ".join(
            str(reason(count=count, example=_shown(path)))
            for reason, (count, path) in self.reasons.items()
        )


def _shown(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()[:MAX_EXAMPLE_CHARACTERS]


def publish(
    rundir: RunDir,
    outputs: Iterable[str],
    highlights: Sequence[Highlight],
    *,
    limits: Limits,
    progress: Publishing | None = None,
) -> str:
    """Write the manifest of a run atomically; return which files are left out.

    Results are the files below `results/`; for a workflow that has none there, the outputs of its
    jobs that still exist. `outputs` are those, relative to the run directory. Memory grows with the
    number of paths only. Raises OSError and PublishingStopped.
    """
    omitted, progress = Omitted(), progress or Publishing()
    files = dict(_Finder(rundir.root, limits, omitted).below(rundir.results))
    files = files or dict(_Finder(rundir.root, limits, omitted).existing(outputs))
    ranks = {highlight.path: rank for rank, highlight in enumerate(highlights)}
    paths = sorted(files, key=lambda path: (_rank(path, ranks), path))
    paths = _within_limits(paths, files, limits, omitted)
    progress.total_files, progress.total_bytes = len(paths), sum(files[path] for path in paths)
    rundir.manifest.parent.mkdir(parents=True, exist_ok=True)
    excluded = {"rule", "job"}  # the jobs themselves say that
    with write_atomically(rundir.manifest, durable=True) as file:
        file.write("[")
        separator = "\n"
        for path in paths:
            if limits.is_late():
                omitted.add(path, TOO_LATE)
                continue
            result = _result(rundir.root, path, highlights, limits, progress)
            file.write(f"{separator}{json.dumps(result.model_dump(exclude=excluded))}")
            separator = ",\n"
            progress.files += 1
        file.write("\n]\n")
    return omitted.note()


def _within_limits(
    paths: Sequence[str], sizes: dict[str, int], limits: Limits, omitted: Omitted
) -> list[str]:
    """Return the first paths that the limits of number and size allow."""
    chosen: list[str] = []
    total = 0
    for path in paths:
        if len(chosen) >= MAX_FILES:
            omitted.add(path, TOO_MANY)
        elif total + sizes[path] > limits.max_bytes:
            omitted.add(path, TOO_LARGE)
        else:
            total += sizes[path]
            chosen.append(path)
    return chosen


def _rank(path: str, ranks: dict[str, int]) -> int:
    matching = (rank for glob, rank in ranks.items() if fnmatch.fnmatchcase(path, glob))
    return min(matching, default=len(ranks))


def _result(
    root: Path,
    path: str,
    highlights: Sequence[Highlight],
    limits: Limits,
    progress: Publishing,
) -> Result:
    title = next((h.title or path for h in highlights if fnmatch.fnmatchcase(path, h.path)), "")
    size, sha256 = _read(root / path, limits, progress)
    return Result(path=path, size=size, sha256=sha256, kind=kind_of(path), title=title)


def _read(path: Path, limits: Limits, progress: Publishing) -> tuple[int, str]:
    """Return the size and the checksum of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
            size += len(block)
            progress.bytes += len(block)
            limits.check()
    return size, digest.hexdigest()


class _Finder:
    """Finds the regular files of a run directory, links inside of it followed."""

    def __init__(self, root: Path, limits: Limits, omitted: Omitted) -> None:
        self._root = root
        self._home = Path(os.path.realpath(root))
        self._limits = limits
        self._omitted = omitted

    def below(self, folder: Path) -> Iterator[tuple[str, int]]:
        """Yield the paths below a folder, relative to the run directory, and their sizes."""
        if not Path(os.path.realpath(folder)).is_relative_to(self._home):
            return
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(set(names) - {TIMESTAMP}):
                self._limits.check()
                path = Path(parent, name).relative_to(self._root).as_posix()
                if (size := self._size(path)) is not None:
                    yield path, size

    def existing(self, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of `paths` that are files of the run, and the files below its folders."""
        for path in paths:
            self._limits.check()
            place = self._root / path
            if not os.path.lexists(place) or place == self._root:
                continue
            if not Path(os.path.realpath(place)).is_relative_to(self._home):
                continue
            normal = Path(os.path.normpath(path)).as_posix()
            if place.is_dir():
                yield from self.below(self._root / normal)
            elif (size := self._size(normal)) is not None:
                yield normal, size

    def _size(self, path: str) -> int | None:
        """Return the size of a file, or None when it is left out."""
        reason = SPECIAL
        try:
            path.encode()
            real = Path(os.path.realpath(self._root / path))
            found = real.stat()
            if not real.is_relative_to(self._home):
                reason = OUTSIDE
            elif stat.S_ISREG(found.st_mode):
                return found.st_size
        except UnicodeEncodeError:
            reason = NOT_UTF8
        except OSError as error:
            if not (self._root / path).is_symlink():
                raise
            reason = LOOP if error.errno == errno.ELOOP else BROKEN_LINK
        self._omitted.add(path, reason)
        return None
