"""Problems of models: every error of pydantic has a message of ours."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from routes.http import field_formats
from services.models import File, FileId, JobId, TokenRequest, UploadId, WorkflowName


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Number(Enum):
    ONE = 1
    TWO = 2


class Inner(BaseModel):
    x: int


ERRORS = [
    # type, value, code, message
    (int, "x", "wrong_type", "Must be an integer."),
    (int, 1.5, "wrong_type", "Must be an integer."),
    (int, None, "wrong_type", "Must be an integer."),
    (int, "9" * 5000, "out_of_range", "Integers must fit in 64 bits."),
    (float, "x", "wrong_type", "Must be a number."),
    (Annotated[float, Field(allow_inf_nan=False)], "inf", "out_of_range", None),
    (bool, "x", "wrong_type", "Must be true or false."),
    (str, 1, "wrong_type", "Must be a string."),
    (list[int], 1, "wrong_type", "Must be a list."),
    (dict[str, int], 1, "wrong_type", "Must be an object."),
    (Inner, 1, "wrong_type", "Must be an object."),
    (Colour, "green", "not_allowed", "Must be one of red, blue."),
    (Literal["0", "1"], "2", "not_allowed", "Must be one of 0, 1."),
    (Literal["1.0.0"], "2", "not_allowed", "Must be 1.0.0."),
    (Number, 3, "not_allowed", "Must be one of 1, 2."),
    (Annotated[int, Field(ge=2)], 1, "out_of_range", "Must be at least 2."),
    (Annotated[int, Field(gt=2)], 1, "out_of_range", "Must be greater than 2."),
    (Annotated[int, Field(le=2)], 3, "out_of_range", "Must be at most 2."),
    (Annotated[int, Field(lt=2)], 3, "out_of_range", "Must be less than 2."),
    (Annotated[str, Field(min_length=1)], "", "wrong_length", "Must not be empty."),
    (Annotated[str, Field(min_length=2)], "", "wrong_length", "Must have at least 2 characters."),
    (Annotated[str, Field(max_length=2)], "abc", "wrong_length", "Must have at most 2 characters."),
    (Annotated[list[int], Field(max_length=1)], [1, 2], "wrong_length", None),
    (Annotated[list[int], Field(min_length=1)], [], "wrong_length", None),
    (FileId, "x", "wrong_format", "Must have 24 hexadecimal characters."),
    (UploadId, "x", "wrong_format", "Must have 32 hexadecimal characters."),
    (JobId, "x", "wrong_format", "Must be an attempt and a job number, such as 1-7."),
    (WorkflowName, "X", "wrong_format", None),
    (Annotated[str, Field(pattern="^a$")], "b", "wrong_format", "The format is invalid."),
    (Annotated[int, Field(multiple_of=2)], 3, "invalid", "The value is invalid."),
    (bytes, 1, "wrong_type", "The value has the wrong type."),
]


def text_of(kind: Any, value: Any):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (details,) = caught.value.errors()
    return field_formats.text_of(details), details


@pytest.mark.parametrize(("kind", "value", "code", "message"), ERRORS)
def test_error_of_pydantic_has_a_message_of_ours(kind, value, code, message):
    text, details = text_of(kind, value)
    assert text.code == code
    assert message in (None, str(text))
    assert str(text).endswith(".")
    assert details["msg"] not in f"{text} {text.hint}"
    assert "^" not in f"{text} {text.hint}"


def test_missing_and_unknown_fields():
    with pytest.raises(ValidationError) as caught:
        TokenRequest.model_validate({"nope": 1})
    texts = {one["loc"][0]: field_formats.text_of(one) for one in caught.value.errors()}
    assert {name: (text.code, str(text)) for name, text in texts.items()} == {
        "name": ("missing", "Required."),
        "nope": ("unknown_field", "Unknown field."),
    }


def test_time_that_is_none():
    whole = {"id": "0" * 24, "name": "a", "size": 1, "sha256": "", "kind": "", "owner": ""}
    with pytest.raises(ValidationError) as caught:
        File.model_validate({**whole, "created": "x"})
    (details,) = caught.value.errors()
    assert str(field_formats.text_of(details)) == "Must be a date and time in ISO 8601."
