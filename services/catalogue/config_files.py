"""Configuration files as Snakemake reads them, and writing changed values back into them.

Values are read as Python values, as the workflow sees them: dates, integer keys, null. Parameters
are their image in JSON, in which keys and dates are text; what is not changed keeps its type.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError as RoundTripError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

Values = dict[Any, Any]
Path_ = tuple[str, ...]  # keys of nested mappings, as text

DECORATION = re.compile(r"[#\-=*_~\s]*")
DISABLED_LINE = re.compile(r"[a-z0-9_.-]+:(\s|$)")  # a setting that the author commented out
INDENTED_LIST = re.compile(r"^( *)[^\s#-][^\n]*:\s*\n(?:\s*#[^\n]*\n)*\1 +- ", re.MULTILINE)
INTEGER = re.compile(r"[+-]?[0-9]+")
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1  # what JSON of the API and the database hold

#: libyaml, which is in the wheels of PyYAML, reads a file several times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
USES_TEMPLATES = "__use_yte__"  # Snakemake removes this key


def parsed(text: str) -> Any:
    """Return the content of a configuration file: of JSON, or else of YAML.

    That is the order in which Snakemake tries (snakemake/common/configfile.py).
    Raises ValueError and yaml.YAMLError.
    """
    try:
        content = json.loads(text)
    except ValueError:
        content = yaml.load(text, _Loader)
        if isinstance(content, dict):
            content.pop(USES_TEMPLATES, None)
    return content


def update(values: Values, others: Mapping[Any, Any]) -> None:
    """Merge other values into `values`, as several `configfile:` of a workflow are merged."""
    for key, value in others.items():
        if isinstance(value, Mapping):
            inner = values.get(key)
            merged = dict(inner) if isinstance(inner, Mapping) else {}
            update(merged, value)
            values[key] = merged
        else:
            values[key] = value


def as_json(value: Any) -> Any:
    """Return the image of a value in JSON: text for keys, dates, and numbers that JSON lacks."""
    match value:
        case Mapping():
            return {key_text(key): as_json(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(inner) for inner in value]
        case datetime.date() | datetime.time():
            return value.isoformat()
        case float() if not math.isfinite(value):
            return str(value)
        case bool() | float() | str() | None:
            return value
        case int():
            return value if MIN_INT64 <= value <= MAX_INT64 else str(value)
        case bytes():
            return value.decode("utf-8", "replace")
        case _:
            return str(value)


def key_text(key: Any) -> str:
    """Return a key of a mapping as text; true, false and null as in YAML."""
    return key if isinstance(key, str) else json.dumps(key) if _is_constant(key) else str(key)


def _is_constant(key: Any) -> bool:
    return key is None or isinstance(key, bool)


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def with_values(original: Any, new: Any) -> Any:
    """Return the JSON value `new` with the types of `original` wherever its image is the same."""
    if same(as_json(original), new):
        return original
    if isinstance(original, Mapping) and isinstance(new, Mapping):
        keys = {key_text(key): key for key in original}
        numbered = bool(keys) and all(type(key) is int for key in original)
        changed = {}
        for name, value in new.items():
            new_key = int(name) if numbered and INTEGER.fullmatch(name) else name
            key = keys.get(name, new_key)
            changed[key] = with_values(original.get(key), value)
        return changed
    if isinstance(original, list) and isinstance(new, list):
        known = [*original, *[None] * len(new)]
        return [with_values(before, value) for before, value in zip(known, new, strict=False)]
    if isinstance(original, datetime.date) and isinstance(new, str):
        with contextlib.suppress(ValueError, yaml.YAMLError):
            date = yaml.load(new, _Loader)
            return date if isinstance(date, datetime.date) else new
    return new


def restricted(new: Any, shape: Any) -> Any:
    """Return of nested mappings `new` only the keys that `shape` has as well."""
    if not isinstance(new, Mapping) or not isinstance(shape, Mapping):
        return new
    return {key: restricted(new[key], shape[key]) for key in shape if key in new}


def written(text: str, values: Values) -> str:
    """Return the text of a configuration file that is to have these values.

    Comments, order and spelling are kept where possible. The result is read again to be sure; where
    that gives other values, everything is written plainly.
    """
    with contextlib.suppress(ValueError, yaml.YAMLError):
        original = parsed(text)
        if _identical({} if original is None else original, values):
            return text
        if text.lstrip().startswith("{") and _is_json(text):
            return json.dumps(as_json(values), indent=2, ensure_ascii=False) + "\n"
        if isinstance(original, dict):
            changed = _with_changes(text, original, values)
            if changed is not None and _identical(parsed(changed), values):
                return changed
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=4096)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _identical(one: Any, other: Any) -> bool:
    """Whether two values of YAML are the same, with their types."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        known = {(type(key), key): value for key, value in other.items()}
        return len(one) == len(other) and all(
            (type(key), key) in known and _identical(value, known[type(key), key])
            for key, value in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_identical, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


class _Representer(RoundTripRepresenter):
    """Writes numbers so that YAML 1.1, which Snakemake reads, sees numbers: 1.0e-05."""


def _represent_float(representer: _Representer, value: float) -> Any:
    text = yaml.safe_dump(value).split("\n", 1)[0]
    return representer.represent_scalar("tag:yaml.org,2002:float", text)


_Representer.add_representer(float, _represent_float)


def _with_changes(text: str, original: Values, values: Values) -> str | None:
    """Return the text with its changed values replaced; None where that is not possible."""
    round_trip = YAML()
    round_trip.Representer = _Representer
    round_trip.preserve_quotes = True
    round_trip.allow_duplicate_keys = True
    round_trip.width = 4096
    if INDENTED_LIST.search(text):
        round_trip.indent(mapping=2, sequence=4, offset=2)
    try:
        tree = round_trip.load(text)
        if not isinstance(tree, CommentedMap):
            return None
        _change(tree, original, values)
        stream = io.StringIO()
        round_trip.dump(tree, stream)
    except (RoundTripError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return stream.getvalue()


def _change(node: CommentedMap, original: Mapping[Any, Any], values: Mapping[Any, Any]) -> None:
    for key in [key for key in node if key not in values]:
        del node[key]
    for key, value in values.items():
        before = original.get(key)
        if key in node and key in original and _identical(before, value):
            continue
        inner = node.get(key)
        if (
            isinstance(before, Mapping)
            and isinstance(value, Mapping)
            and type(inner) is CommentedMap
        ):
            _change(inner, before, value)
        elif isinstance(inner, CommentedSeq) and isinstance(value, list):
            inner[:] = [_node(item) for item in value]
        else:
            node[key] = _node(value)


def _node(value: Any) -> Any:
    """Return a value as ruamel writes it so that YAML 1.1 reads the same value."""
    if isinstance(value, Mapping):
        return {_node(key): _node(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_node(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if "\n" in value and value == value.strip() + "\n" and "\t" not in value:
        return LiteralScalarString(value)
    with contextlib.suppress(yaml.YAMLError):
        if "\n" not in value and yaml.load(value, _Loader) == value:
            return value
    return DoubleQuotedScalarString(value)


def comments(text: str) -> dict[Path_, str]:
    """Return what the comments of a YAML file say about its keys.

    That is a comment in the lines directly above a key, and one at the end of its line.
    """
    try:
        tree = yaml.compose(text, _Loader)
    except yaml.YAMLError:
        return {}
    lines = text.splitlines()
    found: dict[Path_, str] = {}
    for path, key, value in _keys(tree, ()):
        parts = [*_above(lines, key.start_mark.line), *_behind(lines, key, value)]
        if said := " ".join(parts):
            found[path] = said
    return found


def _keys(node: Any, above: Path_) -> Iterator[tuple[Path_, yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and len(above) < 16:
            path = (*above, str(key.value))
            yield path, key, value
            yield from _keys(value, path)


def _above(lines: Sequence[str], number: int) -> list[str]:
    """The comment directly above a line, without decoration and settings commented out."""
    said: list[str] = []
    while number and (line := lines[number - 1].strip()).startswith("#"):
        number -= 1
        words = line.lstrip("#").strip()
        if not DECORATION.fullmatch(words) and not DISABLED_LINE.match(words):
            said.insert(0, words.strip("#=-* "))
    return said


def _behind(lines: Sequence[str], key: yaml.Node, value: yaml.Node) -> list[str]:
    """The comment at the end of the line of a key."""
    line = key.end_mark.line
    scalar = isinstance(value, yaml.ScalarNode) and value.end_mark.line == line
    start = value.end_mark.column if scalar else key.end_mark.column
    if line >= len(lines):
        return []
    rest = lines[line][start:]
    match = re.search(r"(?:^|\s)#\s*(.*)$", rest if scalar else rest.partition(":")[2])
    if match is None or (not scalar and not re.fullmatch(r"\s*#.*", rest.partition(":")[2])):
        return []
    words = match[1].strip()
    return [] if DECORATION.fullmatch(words) else [words]


def read_text(path: Path) -> str:
    """Return the text of a configuration file. Raises OSError, UnicodeDecodeError."""
    return path.read_text(encoding="utf-8-sig")
