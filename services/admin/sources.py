"""Where a workflow is added from: a folder, or a git repository at a branch, tag or commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.errors import Invalid

PATIENCE = 300.0  # s that fetching may take
SCHEMES = ("https", "ssh", "file")
USER, HOST = r"[A-Za-z0-9_][^/@:\s]*(:[^/@\s]*)?@", r"[A-Za-z0-9\[][^/@\s]*"  # no option of ssh
ADDRESS = re.compile(
    rf"(file://|({'|'.join(SCHEMES)})://({USER})?{HOST})(/[^@\s]+)(@(?P<ref>\S+))?"
)
SHORT = re.compile(r"([A-Za-z0-9_][\w.-]*@[A-Za-z0-9][\w.-]*):(?!/)(\S+)")  # as git writes ssh
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
LEFT = shutil.ignore_patterns(".git", ".snakemake", ".rundesk", "__pycache__", "results", "logs")
QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
}


@dataclass(frozen=True)
class Source:
    """What was asked for."""

    address: str
    ref: str  # of a repository; empty: its default branch
    folder: Path | None  # None: a repository

    @classmethod
    def read(cls, text: str) -> Source:
        """Understand `folder`, `https://host/repository@ref`, `git@host:repository@ref`.

        Raises Invalid.
        """
        if short := SHORT.fullmatch(text):
            text = f"ssh://{short[1]}/{short[2]}"
        if "://" not in text:
            folder = Path(text).expanduser().resolve()
            if not folder.is_dir():
                raise Invalid(f"There is no folder {folder}.", field="source")
            return cls(str(folder), "", folder)
        found = ADDRESS.fullmatch(text)
        if found is None:
            hint = f"Known are a folder, and {', '.join(SCHEMES)}://host/repository@ref."
            raise Invalid("This is no address of a git repository.", field="source", hint=hint)
        ref = found["ref"] or ""
        if ref and (not REF.fullmatch(ref) or ".." in ref):
            raise Invalid(f"“{ref}” is no branch, tag or commit.", field="source")
        return cls(text.removesuffix(f"@{ref}") if ref else text, ref, None)

    @property
    def shown(self) -> str:
        """The address without a password."""
        return re.sub(r"(?<=://)[^/@]*:[^/@]*@", "", self.address)

    @property
    def name(self) -> str:
        """What the workflow is called where nobody says otherwise."""
        last = self.address.rstrip("/").rpartition("/")[2].removesuffix(".git")
        return re.sub(r"[^a-z0-9._-]+", "-", last.lower()).strip("-._")

    def fetch(self, target: Path) -> str:
        """Copy the files to `target`; the commit they are of, if any. Raises Invalid."""
        if self.folder is not None:
            _check_links(self.folder)
            shutil.copytree(self.folder, target, ignore=LEFT)
            return ""
        repository = target.with_name(f"{target.name}.git")
        try:
            repository.mkdir()
            _git(repository, "init", "--quiet")
            _git(repository, "fetch", "--quiet", "--depth=1", self.address, self.ref or "HEAD")
            _git(repository, "checkout", "--quiet", "FETCH_HEAD")
            commit = _git(repository, "rev-parse", "HEAD").strip()
            _check_links(repository)
            shutil.copytree(repository, target, ignore=LEFT)
        finally:
            shutil.rmtree(repository, ignore_errors=True)
        return commit


def _git(repository: Path, *words: str) -> str:
    """Run git so that it asks nobody and runs nothing that came with the repository."""
    safe = ["core.hooksPath=/dev/null", "protocol.allow=never", "submodule.recurse=false"]
    safe += [f"protocol.{scheme}.allow=always" for scheme in SCHEMES]
    options = [part for setting in safe for part in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", *options, *words],
            cwd=repository,
            env={**os.environ, **QUIET},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    except FileNotFoundError:
        raise Invalid("The program git is not installed on this host.", field="source") from None
    except subprocess.TimeoutExpired:
        raise Invalid(f"git took longer than {PATIENCE:.0f} seconds.", field="source") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise Invalid(f"git could not fetch it: {' '.join(said)[:500]}", field="source")
    return done.stdout


def _check_links(folder: Path) -> None:
    """No link may lead out of the workflow: what it leads to would be copied and shown."""
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            name = path.relative_to(folder)
            raise Invalid(f"{name} is a link that leads out of the workflow.", field="source")
