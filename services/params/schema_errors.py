"""What a person reads about a value that does not fit its JSON Schema.

Sample sheets, forms and the API use the same messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jsonschema.exceptions import ValidationError

from services.errors import Message, Text
from services.params.safe_text import SAFE_TEXT, UNSAFE_CHARACTERS

MAX_REASON = 300  # characters of a validator's own sentence

REQUIRED = Message("missing", "Required.")
REQUIRED_WITH = Message("missing", "Required together with {other}.")
UNKNOWN_FIELDS = Message("unknown_field", "Unknown fields: {names}.", one="Unknown field: {names}.")
TYPES = {
    "integer": Message("wrong_type", "Must be an integer."),
    "number": Message("wrong_type", "Must be a number."),
    "string": Message("wrong_type", "Must be a string."),
    "boolean": Message("wrong_type", "Must be true or false."),
    "array": Message("wrong_type", "Must be a list."),
    "object": Message("wrong_type", "Must be an object."),
    "null": Message("wrong_type", "Must be null."),
}
OTHER_TYPE = Message("wrong_type", "Must have one of these types: {types}.")
NOT_ALLOWED = Message(
    "not_allowed", "Must be one of {allowed}.", one="Must be {allowed}."
)  # count: how many are allowed
TOO_SMALL = Message("out_of_range", "Must be at least {minimum}.")
TOO_LARGE = Message("out_of_range", "Must be at most {maximum}.")
NOT_ABOVE = Message("out_of_range", "Must be greater than {minimum}.")
NOT_BELOW = Message("out_of_range", "Must be less than {maximum}.")
NOT_A_MULTIPLE = Message("invalid", "Must be a multiple of {step}.")
TOO_FEW_ITEMS = Message(
    "wrong_length", "Must have at least {count} items.", one="Must have at least one item."
)
TOO_MANY_ITEMS = Message(
    "wrong_length", "Must have at most {count} items.", one="Must have at most one item."
)
NOT_UNIQUE = Message("not_unique", "Must not contain the same item twice.")
TOO_SHORT = Message(
    "wrong_length", "Must have at least {count} characters.", one="Must not be empty."
)
TOO_LONG = Message(
    "wrong_length", "Must have at most {count} characters.", one="Must have at most one character."
)
WRONG_PATTERN = Message("wrong_format", "Does not have the required format.")
UNSAFE_TEXT = Message(
    "wrong_format",
    "Must not contain line ends or any of the characters {characters}",
    hint="These characters have a meaning in shell commands. The author of the workflow can allow"
    " them with x-free-text.",
)
WRONG_FORMAT = Message("wrong_format", "Must be a valid {format}.")
NO_ALTERNATIVE = Message("invalid", "Must match one of the alternatives of its schema.")
NOT_POSSIBLE = Message("invalid", "Not allowed in combination with the other values.")
INVALID_VALUE = Message("invalid", "Invalid value: {reason}.")


def error_text(error: ValidationError, description: str = "") -> Text:
    """Return the sentence about a validator's error.

    An `errorMessage` of the schema takes the place of the sentence, unless a number or another
    value was sent where text is required: such messages are about the text. The hint is the
    description of the value, or else that of the field it belongs to (`description`), or else an
    example.
    """
    text = _text(error)
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    if (own := schema.get("errorMessage")) and not is_not_text(error):
        return in_own_words(text, str(own))
    examples = schema.get("examples")
    if not (description := str(schema.get("description") or description)) and examples:
        return with_example(text, _shown(examples[0]))
    return with_description(text, description)


def is_not_text(error: ValidationError) -> bool:
    """Return whether an error is about a value that is not text where text is required."""
    return bool(error.validator == "type" and error.validator_value == "string")


def in_own_words(text: Text, sentence: str) -> Text:
    """Return a text of the same code with a sentence of the schema's own, and without a hint."""
    message = replace(text.message, template="{sentence}", one="", hint="")
    return Text(message, {**text.values, "sentence": sentence})


def with_description(text: Text, description: str) -> Text:
    """Return the same sentence with the description of a field as its hint, where there is one."""
    if not description:
        return text
    return replace(text.message, hint="{description}")(**text.values, description=description)


def with_example(text: Text, example: str) -> Text:
    """Return the same sentence with an example of a valid value as its hint."""
    return replace(text.message, hint="Example: {example}")(**text.values, example=example)


def _text(error: ValidationError) -> Text:
    value: Any = error.validator_value
    match error.validator:
        case "type":
            return _wrong_type(value if isinstance(value, list) else [value])
        case "enum":
            return NOT_ALLOWED(allowed=", ".join(map(_shown, value)), count=len(value))
        case "const":
            return NOT_ALLOWED(allowed=_shown(value), count=1)
        case "minimum":
            return TOO_SMALL(minimum=value)
        case "maximum":
            return TOO_LARGE(maximum=value)
        case "exclusiveMinimum":
            return NOT_ABOVE(minimum=value)
        case "exclusiveMaximum":
            return NOT_BELOW(maximum=value)
        case "multipleOf":
            return NOT_A_MULTIPLE(step=value)
        case "minItems":
            return TOO_FEW_ITEMS(count=value)
        case "maxItems":
            return TOO_MANY_ITEMS(count=value)
        case "uniqueItems":
            return NOT_UNIQUE()
        case "minLength":
            return TOO_SHORT(count=value)
        case "maxLength":
            return TOO_LONG(count=value)
        case "pattern" if value == SAFE_TEXT:
            return UNSAFE_TEXT(characters=" ".join(UNSAFE_CHARACTERS))
        case "pattern":
            return WRONG_PATTERN(pattern=value)
        case "format":
            return WRONG_FORMAT(format=value)
        case "anyOf" | "oneOf":
            return NO_ALTERNATIVE()
        case "not" | None:
            return NOT_POSSIBLE()
        case "additionalProperties":
            return _unknown_fields(error)
        case _:
            return INVALID_VALUE(reason=error.message[:MAX_REASON])


def _wrong_type(types: list[str]) -> Text:
    if len(types) == 1 and types[0] in TYPES:
        return TYPES[types[0]]()
    return OTHER_TYPE(types=", ".join(types))


def _unknown_fields(error: ValidationError) -> Text:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    if error.validator_value is not False or not isinstance(error.instance, Mapping):
        return INVALID_VALUE(reason=error.message[:MAX_REASON])
    names = sorted(set(error.instance) - set(known))
    return UNKNOWN_FIELDS(names=", ".join(names)[:MAX_REASON], count=len(names))


def _shown(value: Any) -> str:
    """A value of a schema as people type it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
