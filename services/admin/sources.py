"""Sources of added workflows: a folder, or a git repository at a branch, tag or commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.catalogue.layout import OWN, copy_files
from services.errors import Invalid, Message

GIT_TIMEOUT_S = 300.0
SCHEMES = ("https", "ssh", "file")
USER, HOST = (
    r"[A-Za-z0-9_][^/@:\s]*(:[^/@\s]*)?@",
    r"[A-Za-z0-9\[][^/@\s]*",
)  # never starts like an option of ssh
ADDRESS = re.compile(
    rf"(file://|({'|'.join(SCHEMES)})://({USER})?{HOST})(/[^@\s]+)(@(?P<ref>\S+))?"
)
SHORT = re.compile(
    r"([A-Za-z0-9_][\w.-]*@[A-Za-z0-9][\w.-]*):(?!/)(\S+)"
)  # git's short form of ssh addresses
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
NON_INTERACTIVE = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
}

FOLDER_NOT_FOUND = Message("not_found", "The folder {path} does not exist.")
NOT_A_REPOSITORY = Message(
    "wrong_format",
    "This is not the address of a git repository.",
    hint="Use a folder or an address such as https://host/repository@ref; "
    "allowed schemes: {schemes}.",
)
INVALID_REF = Message("wrong_format", "“{ref}” is not a valid branch, tag or commit.")
GIT_MISSING = Message("system_error", "The program git is not installed on this server.")
GIT_TIMEOUT = Message("download_failed", "git did not finish within {seconds} seconds.")
GIT_FAILED = Message("download_failed", "git could not fetch the repository: {error}")
LINK_OUTSIDE = Message("invalid_workflow", "{path} is a link to a path outside the workflow.")


@dataclass(frozen=True)
class Source:
    """A folder, or a repository at a ref."""

    address: str
    ref: str  # of a repository; "" for its default branch
    folder: Path | None  # None for a repository

    @classmethod
    def read(cls, text: str) -> Source:
        """Parse `folder`, `https://host/repository@ref` or `git@host:repository@ref`.

        Raises Invalid.
        """
        if short := SHORT.fullmatch(text):
            text = f"ssh://{short[1]}/{short[2]}"
        if "://" not in text:
            folder = Path(text).expanduser().resolve()
            if not folder.is_dir():
                raise Invalid(FOLDER_NOT_FOUND(path=folder), field="source")
            return cls(str(folder), "", folder)
        match = ADDRESS.fullmatch(text)
        if match is None:
            raise Invalid(NOT_A_REPOSITORY(schemes=", ".join(SCHEMES)), field="source")
        ref = match["ref"] or ""
        if ref and (not REF.fullmatch(ref) or ".." in ref):
            raise Invalid(INVALID_REF(ref=ref), field="source")
        return cls(text.removesuffix(f"@{ref}") if ref else text, ref, None)

    @property
    def public_address(self) -> str:
        """The address without a password."""
        return re.sub(r"(?<=://)[^/@]*:[^/@]*@", "", self.address)

    @property
    def name(self) -> str:
        """The default name of the workflow."""
        last = self.address.rstrip("/").rpartition("/")[2].removesuffix(".git")
        return re.sub(r"[^a-z0-9._-]+", "-", last.lower()).strip("-._")

    def fetch(self, target: Path) -> str:
        """Copy the files to `target` and return their commit, "" for a folder. Raises Invalid."""
        if self.folder is not None:
            _copy(self.folder, target)
            return ""
        repository = target.with_name(f"{target.name}.git")
        try:
            repository.mkdir()
            _git(repository, "init", "--quiet")
            _git(repository, "fetch", "--quiet", "--depth=1", self.address, self.ref or "HEAD")
            _git(repository, "checkout", "--quiet", "FETCH_HEAD")
            commit = _git(repository, "rev-parse", "HEAD").strip()
            _copy(repository, target)
        finally:
            shutil.rmtree(repository, ignore_errors=True)
        return commit


def _git(repository: Path, *words: str) -> str:
    """Run git without prompts and without running anything from the repository."""
    safe = ["core.hooksPath=/dev/null", "protocol.allow=never", "submodule.recurse=false"]
    safe += [f"protocol.{scheme}.allow=always" for scheme in SCHEMES]
    options = [part for setting in safe for part in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", *options, *words],
            cwd=repository,
            env={**os.environ, **NON_INTERACTIVE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_TIMEOUT_S,
        )
    except FileNotFoundError:
        raise Invalid(GIT_MISSING(), field="source") from None
    except subprocess.TimeoutExpired:
        raise Invalid(GIT_TIMEOUT(seconds=int(GIT_TIMEOUT_S)), field="source") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise Invalid(GIT_FAILED(error=" ".join(lines)[:500]), field="source")
    return done.stdout


def _copy(folder: Path, target: Path) -> None:
    """Copy the files of a workflow, without what another installation keeps about it."""
    _check_links(folder)
    copy_files(folder, target, examples=True)
    shutil.rmtree(target / OWN, ignore_errors=True)


def _check_links(folder: Path) -> None:
    """Raise Invalid for a link out of the workflow: its target would be copied and published."""
    for path in folder.rglob("*"):
        outside = path.is_symlink() and not path.resolve().is_relative_to(folder.resolve())
        if outside and path.exists():
            name = path.relative_to(folder)
            raise Invalid(LINK_OUTSIDE(path=name), field="source")
