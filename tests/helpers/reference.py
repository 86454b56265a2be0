"""Generate the tables of `docs/reference/` from the code.

    python -m tests.helpers.reference              print every table
    python -m tests.helpers.reference api          print the tables of one document
    python -m tests.helpers.reference --write      update all documents in place

In a document each table is between `<!-- name -->` and `<!-- /name -->`; the text around it is
written by people. `tests/unit/project/test_docs.py` fails when a table differs from the code.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from api import create_app
from commands.group import main as rundesk
from commands.host import settings_in_markdown
from routes.http.errors import CODES
from services.bootstrap import build
from services.errors import PROBLEM_CODES
from services.models import State
from services.settings import HERE, Settings
from ui.formatting import LOOKS

REFERENCE = HERE / "docs" / "reference"
STATE_ROW = re.compile(r"^\| `([A-Z_]+)` \| [^|]* \| (.*) \|$", re.MULTILINE)

#: Makes the text between two markers; its argument is the text that is there now.
Table = Callable[[str], str]


def settings(_: str = "") -> str:
    return settings_in_markdown()


def operations(_: str = "") -> str:
    """Every operation of the API document, by tag."""
    document, sections = _api().test_client().get("/apidocs/openapi.json").get_json(), []
    for tag in document["tags"]:
        rows = [
            (f"`{method.upper()} {path}`", f"`{operation['operationId']}`", operation["summary"])
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
        table = _table(("Request", "Operation", "Description"), rows)
        sections.append(f"### {tag['name'].capitalize()}\n\n{tag['description']}\n\n{table}")
    return "\n\n".join(sections)


def other_protocols(_: str = "") -> str:
    """The operations of GA4GH WES and of the BLAST URL API, which have documents of their own."""
    rows = []
    for rule in _api().url_map.iter_rules():
        blueprint, _dot, name = rule.endpoint.partition(".")
        if blueprint not in ("wes", "blast"):
            continue
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        operation = "".join(part.capitalize() for part in name.split("_"))
        text = inspect.getdoc(_api().view_functions[rule.endpoint]) or ""
        rows.append((f"`{methods} {path}`", f"`{operation}`" if blueprint == "wes" else "", text))
    return _table(
        ("Request", "Operation", "Description"), [(a, b, _first(text)) for a, b, text in rows]
    )


def error_numbers(_: str = "") -> str:
    rows = [(str(code.number), str(code.status), code.meaning) for code in CODES]
    return _table(("errCode", "HTTP status", "Meaning"), rows)


def problem_codes(_: str = "") -> str:
    rows = [(f"`{code}`", meaning) for code, meaning in PROBLEM_CODES.items()]
    return _table(("Code", "Meaning"), rows)


def commands(_: str = "") -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(_commands(rundesk, "rundesk"))


def states(now: str) -> str:
    """Every state with its label in the portal; the meanings are those that are there now."""
    meanings = {match[1]: match[2] for match in STATE_ROW.finditer(now)}
    rows = [(f"`{one}`", LOOKS[one].word, meanings.get(one.value, "")) for one in State]
    return _table(("State", "In the portal", "Meaning"), rows)


DOCUMENTS: dict[str, dict[str, Table]] = {
    "settings": {"settings": settings},
    "api": {
        "operations": operations,
        "other-protocols": other_protocols,
        "error-numbers": error_numbers,
        "problem-codes": problem_codes,
    },
    "cli": {"commands": commands},
    "glossary": {"states": states},
}


def part(text: str, name: str) -> str:
    """The text between the markers of `name`. Raises ValueError where one is missing."""
    before, start, rest = text.partition(f"<!-- {name} -->\n")
    inside, end, _ = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise ValueError(f"no <!-- {name} --> … <!-- /{name} --> after {before[-80:]!r}")
    return inside.strip("\n")


def generated(document: str) -> str:
    """A document of `docs/reference/`, with its tables made again from the code."""
    text = (REFERENCE / f"{document}.md").read_text()
    for name, table in DOCUMENTS[document].items():
        now = part(text, name)
        head, start, rest = text.partition(f"<!-- {name} -->\n")
        tail = rest.partition(f"<!-- /{name} -->")[2]
        text = f"{head}{start}{table(now)}\n<!-- /{name} -->{tail}"
    return text


@functools.cache
def _api() -> Any:
    """The API, on services that open no connection."""
    return create_app(build(Settings()))


def _commands(group: click.Group, path: str) -> Iterator[str]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield _command(command, f"{path} {name}")
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def _command(command: click.Command, path: str) -> str:
    level = "##" if path.count(" ") == 1 else "###"
    arguments = "".join(
        f" {one.make_metavar(click.Context(command))}"
        for one in command.params
        if isinstance(one, click.Argument)
    )
    blocks = [f"{level} `{path}{arguments}`", _paragraphs(command.help or "")]
    rows = [_option(one) for one in command.params if isinstance(one, click.Option)]
    if rows:
        blocks.append(_table(("Option", "Value", "Default", "Description"), rows))
    return "\n\n".join(blocks)


def _option(option: click.Option) -> tuple[str, ...]:
    value = "" if option.is_flag else _value(option.type)
    default = "" if option.is_flag or option.default in (None, "") else f"`{option.default}`"
    return ", ".join(f"`{one}`" for one in option.opts), value, default, option.help or ""


def _value(kind: click.ParamType) -> str:
    if isinstance(kind, click.Choice):
        return ", ".join(f"`{one}`" for one in kind.choices)
    if isinstance(kind, click.IntRange):
        return f"{kind.min} to {kind.max}"
    return kind.name


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(block.split()) for block in text.split("\n\n"))


def _first(text: str) -> str:
    return _paragraphs(text.partition("\n\n")[0])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the tables of docs/reference/.")
    parser.add_argument("documents", nargs="*", metavar="document", help=", ".join(DOCUMENTS))
    parser.add_argument("--write", action="store_true", help="update the documents in place")
    options = parser.parse_args()
    if unknown := set(options.documents) - set(DOCUMENTS):
        parser.error(f"unknown document: {', '.join(sorted(unknown))}")
    for document in options.documents or DOCUMENTS:
        text = generated(document)
        if options.write:
            (REFERENCE / f"{document}.md").write_text(text)
        else:
            for name in DOCUMENTS[document]:
                print(f"{part(text, name)}\n")


if __name__ == "__main__":
    main()
