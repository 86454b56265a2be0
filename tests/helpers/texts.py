"""Every text that people can read, with file and line: `make texts`.

`python -m tests.helpers.texts [--docstrings]` prints messages, labels, help texts, descriptions of
the API, texts of pages and scripts, and those of the bundled workflows; with `--docstrings` also
all docstrings and the names of all tests.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import yaml

from services.settings import HERE

PRODUCT = (
    "services",
    "routes",
    "ui",
    "commands",
    "snakemake_logger_plugin_rundesk",
    "api.py",
    "portal.py",
    "static",
    "workflows",
)
#: Calls whose strings are code: patterns, names, formats.
CODE_CALLS = {"compile", "getLogger", "getattr", "setattr", "TypeVar", "fullmatch", "sub", "match"}
#: Starts of strings that are code in another language, a path or a header.
CODE = re.compile(r"^\s*(<|/|\.|--|@|https?:|[a-z-]+=|var |function|\(?\?|SELECT|import |from )")
SENTENCE = re.compile(r"[A-Za-z]{2,}[^\n]*\s[^\n]*[A-Za-z]{2,}")
LABEL = re.compile(r"[A-Z][A-Za-z’'-]+(?:…|\.)?")
SCHEMA_KEYS = {
    "title",
    "description",
    "errorMessage",
    "help",
    "summary",
    "takes",
    "gives",
    "$comment",
}
SCRIPT_TEXT = re.compile(r"""(?P<quote>["'`])(?P<text>[A-Z][^"'`\n]*?[a-z][^"'`\n]*)(?P=quote)""")


@dataclass(frozen=True, order=True)
class Shown:
    """A text and where it stands."""

    file: str
    line: int
    kind: str  # "text" or "docstring" or "test"
    text: str


def texts(*, docstrings: bool = False) -> list[Shown]:
    """All texts of the product, by file and line."""
    found: set[Shown] = set()
    for name in _tracked(*PRODUCT):
        found.update(_of_file(name, docstrings=docstrings))
    if docstrings:
        for name in _tracked("tests"):
            if name.endswith(".py"):
                found.update(_of_tests(name))
    return sorted(found)


def _tracked(*below: str) -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *below]
    listed = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (HERE / name).is_file()]


def _of_file(name: str, *, docstrings: bool) -> Iterator[Shown]:
    path = HERE / name
    match path.suffix:
        case ".py":
            yield from _of_python(name, docstrings=docstrings)
        case ".js":
            yield from _of_script(name)
        case ".html" | ".jinja" | ".j2":
            yield from _of_page(name)
        case ".yaml" | ".yml" if "/schemas/" in name or path.name == "rundesk.yaml":
            yield from _of_schema(name)


def _of_python(name: str, *, docstrings: bool) -> Iterator[Shown]:
    tree = ast.parse((HERE / name).read_text())
    documented = {id(node): public for node, public in _docstrings(tree, name)}
    skipped = _code(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if id(node) in documented:
            if docstrings or documented[id(node)]:
                text = " ".join(str(node.value).split())  # type: ignore[attr-defined]
                yield Shown(name, node.lineno, "docstring", text)  # type: ignore[attr-defined]
        elif isinstance(node, ast.JoinedStr):
            yield from _prose(name, node.lineno, _template(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _prose(name, node.lineno, node.value)


def _docstrings(tree: ast.Module, name: str) -> Iterator[tuple[ast.Constant, bool]]:
    """The docstrings of a module, and whether each is shown to people."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        text = first.value if isinstance(first, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text, _is_public(node, name)


def _is_public(node: ast.AST, name: str) -> bool:
    """Whether a docstring is in the API document or in the help of a command."""
    if isinstance(node, ast.FunctionDef):
        decorators = {ast.unparse(one).partition("(")[0] for one in node.decorator_list}
        return any(one.endswith((".command", ".group", "operation")) for one in decorators)
    if isinstance(node, ast.ClassDef):
        return name.startswith(("services/models/", "services/sheets/model"))
    return isinstance(node, ast.Module) and re.fullmatch(r"routes/[a-z]+\.py", name) is not None


def _code(tree: ast.Module) -> set[int]:
    """Nodes that are code: arguments of some calls, parts of f-strings, and annotations."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        inside: list[ast.AST] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in CODE_CALLS:
            inside += node.args
        if isinstance(node, ast.JoinedStr):
            inside += node.values
        if isinstance(node, ast.Subscript):
            inside.append(node.slice)
        if isinstance(node, ast.arg) and node.annotation:
            inside.append(node.annotation)
        for one in inside:
            skipped.update(id(below) for below in ast.walk(one))
    return skipped


def _template(node: ast.JoinedStr) -> str:
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
        for part in node.values
    )


def _prose(name: str, line: int, text: str) -> Iterator[Shown]:
    text = text.strip()
    label = name.startswith(("ui/", "portal.py")) and LABEL.fullmatch(text)
    if label or (SENTENCE.search(text) and not CODE.match(text)):
        yield Shown(name, line, "text", " ".join(text.split()))


def _of_script(name: str) -> Iterator[Shown]:
    for line, source in enumerate((HERE / name).read_text().splitlines(), 1):
        if not source.lstrip().startswith(("//", "*", "/*")):
            for match in SCRIPT_TEXT.finditer(source):
                yield Shown(name, line, "text", match["text"])


class _Page(HTMLParser):
    """Collects what an HTML page or template shows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        for name, value in attrs:
            if name in ("title", "alt", "aria-label", "placeholder") and value:
                self.found.append((self.getpos()[0], value))

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        text = re.sub(r"\{%.*?%\}", " ", data)
        if not self._hidden and re.search(r"[A-Za-z]{2,}", re.sub(r"\{\{.*?\}\}", "", text)):
            self.found.append((self.getpos()[0], " ".join(text.split())))


def _of_page(name: str) -> Iterator[Shown]:
    page = _Page()
    page.feed((HERE / name).read_text())
    for line, text in page.found:
        yield Shown(name, line, "text", text)


def _of_schema(name: str) -> Iterator[Shown]:
    waiting = [yaml.compose((HERE / name).read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                waiting.append(value)
                if key.value in SCHEMA_KEYS and isinstance(value, yaml.ScalarNode):
                    line = value.start_mark.line + 1
                    yield Shown(name, line, "text", " ".join(str(value.value).split()))


def _of_tests(name: str) -> Iterator[Shown]:
    for node in ast.walk(ast.parse((HERE / name).read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Shown(name, node.lineno, "test", node.name)


def main() -> None:
    file = None
    for shown in texts(docstrings="--docstrings" in sys.argv):
        if shown.file != file:
            file = shown.file
            print(f"\n{Path(file).as_posix()}")
        print(f"{shown.line:5}  {shown.text}")


if __name__ == "__main__":
    main()
