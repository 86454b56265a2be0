"""The characters of texts for which a workflow's schema has no rule of its own.

Many workflows put parameters into shell commands without quotes. A text that the schema does not
restrict takes letters and digits of any script, spaces and ``-=_.()/+*^,:?!@%``, as Galaxy's
parameters do. `x-free-text: true` allows every character; the default of a parameter is always
accepted.
"""

from __future__ import annotations

from typing import Any

from services.params import refs
from services.params.schema import Schema, is_file, is_folder

FREE_TEXT = "x-free-text"
UNSAFE_CHARACTERS = "\"#$&';<>[\\]`{|}~"
#: Also for JavaScript, with the flag `u`. In Python `$` would accept a line end at the end.
SAFE_TEXT = r"""^[^\u0000-\u001f\u007f"#$&';<>\[\\\]`\{\|\}~]*(?![\s\S])"""
#: Keywords that say themselves which texts are valid.
OWN_RULES = frozenset({"pattern", "enum", "const", "$ref", "anyOf", "oneOf", FREE_TEXT})
CONDITIONS = frozenset({"if", "not", "propertyNames", "contains"})


def with_safe_texts(schema: Schema) -> Schema:
    """Return a schema in which every text without a rule of its own has the pattern SAFE_TEXT.

    A `format` is no such rule: that of an address, for example, allows nearly every character.
    Files are left as they are, because their value is an id, and so are conditions.
    """
    if is_file(schema) or is_folder(schema) or schema.get(FREE_TEXT) is True:
        return schema
    changed: Schema = {key: _within(key, value) for key, value in schema.items()}
    if _is_text(schema) and not OWN_RULES & schema.keys():
        changed["pattern"] = SAFE_TEXT
    return changed


def _within(key: str, value: Any) -> Any:
    if key in CONDITIONS:
        return value
    if key in refs.SINGLE_SCHEMA and isinstance(value, dict):
        return with_safe_texts(value)
    if key in refs.SCHEMA_LISTS and isinstance(value, list):
        return [with_safe_texts(part) if isinstance(part, dict) else part for part in value]
    if key in {*refs.SCHEMA_MAPS, "definitions"} and isinstance(value, dict):
        return {
            name: with_safe_texts(part) if isinstance(part, dict) else part
            for name, part in value.items()
        }
    return value


def _is_text(schema: Schema) -> bool:
    kinds = schema.get("type")
    return kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
