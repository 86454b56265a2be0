"""The decorator `operation`: arguments of views, refused requests, responses, the document."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, url_for
from pydantic import BaseModel, ConfigDict, Field

from routes.http import errors, openapi, responses
from routes.http.context import attach
from routes.http.guard import Guard
from routes.http.operation import Encoder, operation
from routes.http.signatures import Describer
from services.errors import DatabaseUnavailable, Invalid, Message, NotFound
from services.models import Actor, Model, RunId, State
from services.settings import Settings

things = Blueprint("things", __name__)
NO = Message("invalid", "No.")
GONE = Message("gone", "Gone.")


class Filter(Model):
    state: list[State] = Field([])
    text: str | None = Field(None, max_length=5)
    limit: int = Field(50, ge=1, le=200)


class Headers(Model):
    key: str | None = Field(None, alias="X-Key", pattern="^[a-z]+$")


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(max_length=10)
    count: int = 1
    tags: list[str] = Field([], max_length=3)
    params: dict[str, Any] = {}


@things.get("/things")
@operation()
def list_things(actor: Actor, query: Filter) -> list[str]:
    """List things."""
    return [actor.id, *query.state, str(query.text), str(query.limit)]


@things.post("/things")
@operation(status=201, location=lambda thing: url_for("things.get_thing", run_id="a" * 24))
def make_thing(headers: Headers, body: Thing) -> Thing:
    """Make a thing.

    It stays.
    """
    if body.name == headers.key:
        raise Invalid(NO(), field="name")
    return body


@things.get("/things/<run_id>")
@operation()
def get_thing(run_id: RunId) -> State:
    """Get a thing."""
    match run_id[0]:
        case "0":
            return Thing.model_validate({"of": "the database"})  # type: ignore[return-value]
        case "1":
            return "not a state"  # type: ignore[return-value]
        case "2":
            raise DatabaseUnavailable
        case "3":
            raise ZeroDivisionError("secret")
    return State.QUEUED


@things.get("/things/<run_id>/text")
@operation(media="text/plain")
def get_text(run_id: RunId, query: Filter) -> Response:
    """Get a text."""
    if query.text == "token":
        raise Invalid(NO(), field="text")
    if query.limit == 1:
        raise NotFound(GONE())
    return Response("text", mimetype="text/plain")


@things.get("/things/<run_id>/free")
@operation()
def get_free(run_id: RunId) -> dict[str, Any]:
    """Get what a workflow made up."""
    return {"x": float("nan"), "y": [float("inf")]}


@pytest.fixture
def client(tmp_path):
    settings = Settings(data=tmp_path, max_body=1)
    app = Flask("toy", template_folder=str(tmp_path))
    attach(app, SimpleNamespace(settings=settings, links=None))  # type: ignore[arg-type]
    errors.register(app)
    Guard(settings).install(app)
    app.register_blueprint(things)
    return app.test_client()


def refused(reply, status, number=None):
    """Return the problems of a failed response: field → (code, message, hint)."""
    body = reply.get_json()
    assert reply.status_code == status, body
    assert set(body) == {"errCode", "data", "msg", "requestId"}
    assert body["errCode"] // 100 == status
    assert number in (None, body["errCode"])
    assert body["requestId"] == reply.headers["X-Request-Id"]
    assert "Traceback" not in reply.text
    problems = body["data"]["problems"] if body["data"] else []
    return {one["field"]: (one["code"], one["message"], one["hint"]) for one in problems}


def post(client, text, **headers):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return client.post("/things", data=data, content_type="application/json", headers=headers)


# ---- replies ----------------------------------------------------------------------------------


class Reading(Model):
    degrees: int


def test_encoder_encodes_the_same_value_once():
    encoder = Encoder(Reading, tagged=True)
    first = Reading(degrees=1)
    body, tag = encoder.of(first)
    assert body == b'{"errCode":0,"data":{"degrees":1},"msg":""}'
    assert encoder.of(first)[0] is body
    changed, other = encoder.of(Reading(degrees=2))
    assert b'"degrees":2' in changed
    assert other != tag
    assert encoder.of(first) == (body, tag)


def test_value_that_can_change_is_encoded_each_time():
    encoder, readings = Encoder(list[int], tagged=False), [1]
    encoder.of(readings)
    readings.append(2)
    assert encoder.of(readings)[0] == b'{"errCode":0,"data":[1,2],"msg":""}'


# ---- valid requests ---------------------------------------------------------------------------


def test_reply_is_the_envelope(client):
    reply = client.get(f"/things/{'a' * 24}")
    assert reply.get_json() == {"errCode": 0, "data": "QUEUED", "msg": ""}
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_post_replies_with_status_and_location(client):
    reply = post(client, '{"name": "a", "params": {"e": 33.0, "d": {"x": [null, true]}}}')
    assert reply.status_code == 201
    assert reply.headers["Location"] == f"/things/{'a' * 24}"
    assert reply.get_json()["data"]["params"] == {"e": 33.0, "d": {"x": [None, True]}}


@pytest.mark.parametrize("query", ["state=QUEUED&state=RUNNING", "state=QUEUED,RUNNING"])
def test_query_list_is_repeated_or_by_comma(client, query):
    reply = client.get(f"/things?{query}")
    assert reply.get_json()["data"] == ["local", "QUEUED", "RUNNING", "None", "50"]


def test_query_whole_number_may_be_written_as_a_decimal(client):
    assert client.get("/things?limit=33.0").get_json()["data"][-1] == "33"


def test_reply_never_holds_what_is_no_json(client):
    reply = client.get(f"/things/{'4' * 24}/free")
    assert json.loads(reply.data, parse_constant=pytest.fail)["data"] == {"x": None, "y": [None]}


# ---- invalid requests -------------------------------------------------------------------------

STATES = (
    "Must be one of QUEUED, INITIALIZING, RUNNING, CANCELING, COMPLETE, EXECUTOR_ERROR,"
    " SYSTEM_ERROR, CANCELED."
)
QUERIES = [
    ("limit=0", "limit", "out_of_range", "Must be at least 1."),
    ("limit=201", "limit", "out_of_range", "Must be at most 200."),
    ("limit=x", "limit", "wrong_type", "Must be an integer."),
    ("limit=", "limit", "wrong_type", "Must be an integer."),
    ("limit=1_0", "limit", "wrong_type", "Must be an integer."),
    ("limit=%2B1", "limit", "wrong_type", "Must be an integer."),
    ("limit= 1", "limit", "wrong_type", "Must be an integer."),
    ("limit=1e1", "limit", "wrong_type", "Must be an integer."),
    ("limit=٣", "limit", "wrong_type", "Must be an integer."),
    ("limit=" + "9" * 5000, "limit", "wrong_type", "Must be an integer."),
    ("limit=1&limit=2", "limit", "duplicate_field", "Must be given only once."),
    ("text=a&text=a", "text", "duplicate_field", "Must be given only once."),
    ("text=%00", "text", "invalid_characters", None),
    ("text=abcdef", "text", "wrong_length", "Must have at most 5 characters."),
    ("state=DONE", "state.0", "not_allowed", STATES),
    ("state=QUEUED&state=done", "state.1", "not_allowed", STATES),
    ("state=QUEUED,", "state.1", "not_allowed", STATES),
    ("unknown=1", "unknown", "unknown_field", "Unknown query parameter."),
    ("text[$ne]=1", "text[$ne]", "unknown_field", "Unknown query parameter."),
    ("actor=root", "actor", "unknown_field", "Unknown query parameter."),
    ("%00=1", "\N{REPLACEMENT CHARACTER}", "unknown_field", "Unknown query parameter."),
]


@pytest.mark.parametrize(("query", "field", "code", "message"), QUERIES)
def test_invalid_query_is_refused_by_field(client, query, field, code, message):
    problem = refused(client.get(f"/things?{query}"), 400, 40001)[f"query.{field}"]
    assert problem[0] == code
    assert message in (None, problem[1])


def test_problem_has_the_values_that_its_message_names(client):
    (problem,) = client.get("/things?limit=201").get_json()["data"]["problems"]
    assert problem == {
        "field": "query.limit",
        "code": "out_of_range",
        "message": "Must be at most 200.",
        "hint": "",
        "args": {"maximum": 200},
    }
    (problem,) = client.get("/things?nope=1").get_json()["data"]["problems"]
    assert problem["hint"] == "Allowed parameters: state, text, limit."
    assert problem["args"] == {"allowed": "state, text, limit"}


def test_query_of_a_view_without_any_is_refused(client):
    found = refused(client.get(f"/things/{'a' * 24}?a=1"), 400, 40001)
    hint = "This request has no query parameters."
    assert found == {"query.a": ("unknown_field", "Unknown query parameter.", hint)}


BODIES = [
    # what, body, field, number
    ("missing", "{}", "name", 40001),
    ("unknown", '{"name": "a", "nmae": 1}', "nmae", 40001),
    ("wrong type", '{"name": 1}', "name", 40001),
    ("operator object", '{"name": {"$ne": ""}}', "name", 40001),
    ("too long", '{"name": "aaaaaaaaaaa"}', "name", 40001),
    ("in a list", '{"name": "a", "tags": ["a", 2]}', "tags.1", 40001),
    ("text for a number", '{"name": "a", "count": "1"}', "count", 40001),
    ("true for a number", '{"name": "a", "count": true}', "count", 40001),
    ("a list", "[]", "body", 40001),
    ("null", "null", "body", 40001),
    ("NaN", '{"name": "a", "params": {"x": NaN}}', "params.x", 40001),
    ("infinity", '{"name": "a", "params": {"x": [-Infinity]}}', "params.x.0", 40001),
    ("1e999", '{"name": "a", "params": {"x": 1e999}}', "params.x", 40001),
    ("2^63", '{"name": "a", "params": {"x": 9223372036854775808}}', "params.x", 40001),
    ("5,000 digits", f'{{"name": "a", "params": {{"x": {"9" * 5000}}}}}', "params.x", 40001),
    ("-5,000 digits", f'{{"name": "a", "params": {{"x": -{"9" * 5000}}}}}', "params.x", 40001),
    ("NUL", r'{"name": "a", "params": {"x": "\u0000"}}', "params.x", 40001),
    ("NUL in a key", r'{"name": "a", "params": {"x\u0000": 1}}', "params.x�", 40001),
    ("lone surrogate", r'{"name": "a", "params": {"x": "\ud800"}}', "params.x", 40001),
    ("lone surrogate in a key", r'{"name": "a", "params": {"\udfff": 1}}', "params.�", 40001),
    ("key twice", '{"name": "a", "name": "b"}', "name", 40001),
    ("key twice, deep", '{"name": "a", "params": {"x": {"y": 1, "y": 1}}}', "y", 40001),
    ("deep", '{"name": "a", "params": {"x": ' + "[" * 40 + "]" * 40 + "}}", None, 40001),
    ("deeper", "[" * 100_000 + "]" * 100_000, "body", 40001),
    ("deep objects", '{"a":' * 50_000 + "1" + "}" * 50_000, "body", 40001),
    ("open", '{"name": "a"', "body", 40002),
    ("empty", "", "body", 40002),
    ("text", "name=a", "body", 40002),
    ("byte order mark", '\ufeff{"name": "a"}', "body", 40002),
    ("comment", '{"name": "a"} // x', "body", 40002),
    ("no UTF-8", b'{"name": "\xff"}', "body", 40002),
    ("UTF-16", '{"name": "a"}'.encode("utf-16"), "body", 40002),
    ("surrogate as bytes", '{"name": "\ud800"}', "body", 40002),
]


@pytest.mark.parametrize(
    ("body", "field", "number"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_body_that_does_not_fit_is_refused_by_field(client, body, field, number):
    found = refused(post(client, body), 400, number)
    assert field in found if field else found


def test_body_problems_are_reported_together_up_to_a_limit(client):
    problems = refused(post(client, '{"count": 1.5, "tags": [1], "x": 1}'), 400)
    assert problems == {
        "name": ("missing", "Required.", ""),
        "count": ("wrong_type", "Must be an integer.", ""),
        "tags.0": ("wrong_type", "Must be a string.", ""),
        "x": ("unknown_field", "Unknown field.", ""),
    }
    many = json.dumps({f"k{n}": 1 for n in range(50_000)})
    assert len(refused(post(client, many), 400)) == 50


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "json"])
def test_body_of_another_type_is_415(client, kind):
    reply = client.post("/things", data='{"name": "a"}', content_type=kind)
    assert refused(reply, 415, 41500) == {
        "header.Content-Type": (
            "wrong_content_type",
            "The content type must be application/json.",
            "Set the Content-Type header.",
        )
    }


def test_body_over_the_limit_is_413(client):
    problems = refused(post(client, b" " * (2**20 + 1)), 413, 41300)
    assert problems == {"body": ("body_too_large", "The body must not be larger than 1 MiB.", "")}


def test_body_over_the_limit_of_unknown_length_is_413(client):
    stream = io.BytesIO(b'{"name": "a"}' + b" " * 2**20)
    environ = {"wsgi.input": stream, "wsgi.input_terminated": True}
    reply = client.post("/things", content_type="application/json", environ_overrides=environ)
    assert "body" in refused(reply, 413, 41300)


def test_body_cut_is_400(client):
    reply = client.post(
        "/things",
        content_type="application/json",
        environ_overrides={
            "wsgi.input": io.BytesIO(b'{"name": "a"}'),
            "wsgi.input_terminated": True,
            "CONTENT_LENGTH": "1000",
        },
    )
    assert refused(reply, 400, 40003)["body"][0] == "body_incomplete"


def test_invalid_header_is_refused_by_its_name_and_without_its_pattern(client):
    problems = refused(post(client, '{"name": "a"}', **{"X-Key": "A"}), 400, 40001)
    assert problems == {"header.X-Key": ("wrong_format", "The format is invalid.", "")}


@pytest.mark.parametrize("name", ["x", "A" * 24, "a" * 25, "%00" * 24, "a" * 24 + "%0A"])
def test_path_with_a_malformed_id_is_404(client, name):
    problems = refused(client.get(f"/things/{name}"), 404, 40400)
    hint = "A run id has 24 hexadecimal characters."
    assert problems == {"path.run_id": ("not_found", "Run not found.", hint)}


# ---- errors of the server ---------------------------------------------------------------------


@pytest.mark.parametrize("digit", "013")
def test_unexpected_error_is_500_without_details(client, digit, caplog):
    reply = client.get(f"/things/{digit * 24}")
    assert refused(reply, 500, 50000) == {}
    assert "secret" not in reply.text
    assert reply.headers["X-Request-Id"] in caplog.text
    assert "Traceback" in caplog.text


def test_database_that_does_not_respond_is_503_with_retry_after(client):
    reply = client.get(f"/things/{'2' * 24}")
    assert refused(reply, 503, 50300)[""][0] == "database_unavailable"
    assert int(reply.headers["Retry-After"]) > 0


def test_invalid_of_a_service_keeps_its_field(client):
    assert "name" in refused(post(client, '{"name": "a"}', **{"X-Key": "a"}), 400, 40001)


def test_invalid_of_a_service_about_the_query_is_named_like_the_query(client):
    reply = client.get(f"/things/{'a' * 24}/text?text=token")
    assert "query.text" in refused(reply, 400, 40001)


# ---- the document -----------------------------------------------------------------------------


def described(view):
    return Describer().operation(*view.operation)


def test_document_says_what_the_signature_says():
    spec = described(make_thing)
    assert (spec["summary"], spec["description"]) == ("Make a thing.", "It stays.")
    (header,) = spec["parameters"]
    assert (header["name"], header["in"], header["required"]) == ("X-Key", "header", False)
    assert header["schema"]["type"] == "string"  # an absent parameter is not a null
    describer = Describer()
    describer.operation(*make_thing.operation)
    body = spec["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Thing"}
    assert describer.schemas["Thing"]["required"] == ["name"]
    assert set(spec["responses"]) == {"201", "400", "403", "413", "415", "500"}
    assert "Location" in spec["responses"]["201"]["headers"]


def test_document_of_a_raw_reply_has_its_type_and_ranges():
    spec = described(get_text)
    assert list(spec["responses"]["200"]["content"]) == ["text/plain"]
    assert set(spec["responses"]) >= {"200", "206", "304", "404", "412", "416"}


def test_document_says_who_is_asked_to_sign_in():
    assert "401" in described(list_things)["responses"]
    assert "401" not in described(get_thing)["responses"]


def test_document_refuses_two_models_of_one_name():
    describer = Describer()
    describer.schema(list[Filter], "validation")
    other = type("Filter", (BaseModel,), {"__annotations__": {"x": int}})
    with pytest.raises(TypeError, match="Filter"):
        describer.schema(list[other], "validation")


def test_version_is_not_empty():
    assert openapi.version()


# ---- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html"),
        ("a.fastq.gz", "application/gzip"),
        ("a.svg", "image/svg+xml"),
        ("a.unheard-of", "application/octet-stream"),
        ("results/a.tsv", "text/tab-separated-values"),
    ],
)
def test_media_type_is_that_of_the_name(name, kind):
    assert responses.media_type(name) == kind
