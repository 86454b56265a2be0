"""Messages for the errors of pydantic, by their type.

They do not change when those of pydantic do, and never contain a regular expression. Where a JSON
Schema has the same rule, the sentence is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic_core import ErrorDetails

from services.errors import Message, Text
from services.params import schema_errors

UNKNOWN_FIELD = Message("unknown_field", "Unknown field.")
NOT_A_TIME = Message("wrong_type", "Must be a date and time in ISO 8601.")
WRONG_TYPE = Message("wrong_type", "The value has the wrong type.")
NOT_FINITE = Message("out_of_range", "Must be a finite number.")
NOT_64_BIT = Message("out_of_range", "Integers must fit in 64 bits.")
WRONG_FORMAT = Message("wrong_format", "The format is invalid.")
INVALID_VALUE = Message("invalid", "The value is invalid.")
REQUIRED = schema_errors.REQUIRED
NOT_A_STRING, NOT_AN_INTEGER, NOT_A_NUMBER, NOT_A_BOOLEAN, NOT_A_LIST, NOT_AN_OBJECT = (
    schema_errors.TYPES[kind]
    for kind in ("string", "integer", "number", "boolean", "array", "object")
)

#: Type of a pydantic error → message, where it needs no values.
TYPES: dict[str, Message] = {
    "missing": REQUIRED,
    "extra_forbidden": UNKNOWN_FIELD,
    "string_type": NOT_A_STRING,
    "string_sub_type": NOT_A_STRING,
    "string_unicode": NOT_A_STRING,
    "int_type": NOT_AN_INTEGER,
    "int_parsing": NOT_AN_INTEGER,
    "int_from_float": NOT_AN_INTEGER,
    "int_parsing_size": NOT_64_BIT,
    "float_type": NOT_A_NUMBER,
    "float_parsing": NOT_A_NUMBER,
    "finite_number": NOT_FINITE,
    "bool_type": NOT_A_BOOLEAN,
    "bool_parsing": NOT_A_BOOLEAN,
    "list_type": NOT_A_LIST,
    "tuple_type": NOT_A_LIST,
    "dict_type": NOT_AN_OBJECT,
    "mapping_type": NOT_AN_OBJECT,
    "model_type": NOT_AN_OBJECT,
    "model_attributes_type": NOT_AN_OBJECT,
    "datetime_type": NOT_A_TIME,
    "datetime_parsing": NOT_A_TIME,
    "datetime_from_date_parsing": NOT_A_TIME,
}

#: Type of a pydantic error → message, name of its value, and pydantic's name of that value.
TYPES_WITH_VALUE: dict[str, tuple[Message, str, str]] = {
    "greater_than_equal": (schema_errors.TOO_SMALL, "minimum", "ge"),
    "greater_than": (schema_errors.NOT_ABOVE, "minimum", "gt"),
    "less_than_equal": (schema_errors.TOO_LARGE, "maximum", "le"),
    "less_than": (schema_errors.NOT_BELOW, "maximum", "lt"),
    "string_too_short": (schema_errors.TOO_SHORT, "count", "min_length"),
    "string_too_long": (schema_errors.TOO_LONG, "count", "max_length"),
    "too_short": (schema_errors.TOO_FEW_ITEMS, "count", "min_length"),
    "too_long": (schema_errors.TOO_MANY_ITEMS, "count", "max_length"),
}


def text_of(error: ErrorDetails, formats: Mapping[str, Text] | None = None) -> Text:
    """Return the message for one of pydantic's errors; `formats` has those of patterns."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("enum", "literal_error"):
        return not_allowed(allowed_values(str(context.get("expected", ""))))
    if kind == "string_pattern_mismatch":
        return (formats or {}).get(str(context.get("pattern", ""))) or WRONG_FORMAT()
    if kind in TYPES_WITH_VALUE:
        message, name, theirs = TYPES_WITH_VALUE[kind]
        return message(**{name: context[theirs]})
    if kind in TYPES:
        return TYPES[kind]()
    return WRONG_TYPE() if kind.endswith(("_type", "_parsing")) else INVALID_VALUE()


def not_allowed(values: Sequence[str]) -> Text:
    """Return the message for a value that is none of these."""
    return schema_errors.NOT_ALLOWED(allowed=", ".join(values), count=len(values))


def allowed_values(expected: str) -> Sequence[str]:
    """Return the values in a list of pydantic's, such as "'read', 'submit' or 'admin'"."""
    return re.findall(r"'([^']*)'", expected) or re.split(", | or ", expected)
