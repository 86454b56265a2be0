"""Finds values in shell commands of a workflow that are not quoted: `{params.x}`.

With `{params.x:q}` Snakemake quotes the value, and a shell reads it as one word.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

#: A placeholder for a value that users may choose, without the format that quotes it.
UNQUOTED = re.compile(r"(?<!\{)\{((?:config|params|wildcards)\b[^{}:!]*)\}(?!\})")
LAYOUT = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.COMMENT, tokenize.OP})


def unquoted_values(folder: Path) -> dict[str, list[str]]:
    """Return the files of a workflow with such values: {"workflow/Snakefile": ["params.x"]}."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.endswith((".smk", "Snakefile")) and path.is_file():
            text = path.read_bytes()
            names = [name for command in _commands(text) for name in UNQUOTED.findall(command)]
            if names:
                found[str(path.relative_to(folder))] = list(dict.fromkeys(names))
    return found


def _commands(text: bytes) -> Iterator[str]:
    """Yield the string literals after each `shell:` of a Snakefile."""
    before, within = "", False
    try:
        for token in tokenize.tokenize(io.BytesIO(text).readline):
            if token.string == ":" and before == "shell":
                within = True
            elif within and token.type == tokenize.STRING:
                yield token.string
            elif within and token.type not in LAYOUT:
                within = False
            before = token.string
    except (tokenize.TokenError, SyntaxError):  # reported as a syntax error of the workflow
        return
