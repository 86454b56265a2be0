"""Resumable uploads with the protocol tus 1.0, which has clients for many languages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from email.utils import format_datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from flask import Blueprint, Flask, Response, request, url_for
from flask.blueprints import BlueprintSetupState
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import PreconditionFailed

from routes.http import examples, requests
from routes.http.context import services
from routes.http.errors import EXPECTED_CONTENT_TYPE, WrongContentType
from routes.http.field_formats import CHECKSUM_PATTERN
from routes.http.operation import operation
from routes.http.signatures import Header
from services.access.signed_links import UPLOADS
from services.errors import Invalid, Message
from services.files.uploads import ALGORITHMS, Checksum
from services.models import Actor, Model, Upload, UploadId
from services.params import json_values

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

uploads = Blueprint("uploads", __name__, url_prefix="/uploads")

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
CHUNK = "application/offset+octet-stream"
#: The media type of tus, and the one by which most generated clients send bytes.
CHUNKS = (CHUNK, "application/octet-stream")
BODY = {media: {"schema": {"type": "string", "format": "binary"}} for media in CHUNKS}
STATE = (
    Header("Upload-Offset", "Number of bytes received", lambda upload: str(upload.offset)),
    Header("Upload-Length", "Size of the whole file in bytes", lambda upload: str(upload.size)),
    Header("Upload-Metadata", "As sent by the client", lambda upload: upload.metadata),
    Header(
        "Upload-Expires",
        "When the upload is removed unless more bytes are received",
        lambda upload: format_datetime(upload.expires, usegmt=True),
    ),
    Header(
        "Rundesk-File",
        "Id of the registered file, once the upload is complete",
        lambda upload: upload.file or "",
    ),
)
OF_UPLOAD: dict[str, dict[str, Any]] = {
    name: {"operationId": name, "parameters": {"upload_id": "$response.body#/data/id"}}
    for name in ("get_upload", "append_to_upload", "end_upload")
}


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise PydanticCustomError("int_parsing", "not an integer")
    return value


Count = Annotated[int, Field(ge=0, le=json_values.MAX_INT64), BeforeValidator(_digits)]
Sum = Annotated[
    str,
    Field(
        pattern=CHECKSUM_PATTERN,
        examples=["sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="],
    ),
]
DIGEST = f"Checksum of the body: algorithm ({', '.join(ALGORITHMS)}), space, digest in Base64"

NOT_BASE64 = Message("wrong_format", "The digest is not valid Base64.")
METADATA_NOT_BASE64 = Message("wrong_format", "A value is not valid Base64.")
METADATA_DUPLICATE = Message("duplicate_field", "A key is given more than once.")
NAME_NOT_UTF8 = Message("invalid_characters", "The file name is not valid UTF-8.")


class Tus(Model):
    """The headers of every request."""

    version: Literal["1.0.0"] = Field(
        alias="Tus-Resumable", description="Version of the tus protocol"
    )


class CreateHeaders(Tus):
    """The headers that create an upload."""

    size: Count = Field(
        alias="Upload-Length", description="Size of the whole file in bytes", examples=[2048]
    )
    metadata: str = Field(
        "",
        alias="Upload-Metadata",
        pattern=r"^[!-~ ]{0,4000}$",
        description="Comma-separated pairs of a key and a Base64 value; `filename` is the name",
        examples=["filename cmVhZHMuZmFzdHE="],
    )
    checksum: Sum | None = Field(None, alias="Upload-Checksum", description=DIGEST)


class AppendHeaders(Tus):
    """The headers of a chunk of an upload."""

    offset: Count = Field(
        alias="Upload-Offset",
        description="Position of the body in the file, in bytes",
        examples=[0],
    )
    checksum: Sum | None = Field(None, alias="Upload-Checksum", description=DIGEST)


@uploads.post("/")
@operation(
    status=201,
    limit="upload",
    errors=(409, 412, 413, 415, 460, 507),
    links=OF_UPLOAD,
    example=examples.UPLOAD,
    sends=STATE,
    location=lambda upload: url_for("uploads.get_upload", upload_id=upload.id),
)
def create_upload(actor: Actor, headers: CreateHeaders) -> Upload:
    """Create an upload.

    A body of type `application/offset+octet-stream` is the first chunk. If the request fails,
    nothing is stored.
    """
    if (request.content_length or 0) > 0 and request.mimetype != CHUNK:
        raise _wrong_type()
    uploads, name = services().uploads, _file_name(headers.metadata)
    upload = uploads.create(actor, size=headers.size, name=name, metadata=headers.metadata)
    if request.mimetype != CHUNK:
        return upload
    try:
        return _append(actor, upload.id, 0, headers.checksum)
    except Exception:
        uploads.delete(actor, upload.id)
        raise


@uploads.get("/<upload_id>")
@operation(example=examples.UPLOAD, links=OF_UPLOAD, sends=STATE)
def get_upload(actor: Actor, upload_id: UploadId) -> Upload:
    """Get an upload: the bytes received, and the file once it is complete.

    tus clients use HEAD. If all bytes have been received but the file is not yet registered, this
    registers it.
    """
    return services().uploads.get(actor, upload_id)


@uploads.patch("/<upload_id>")
@operation(status=204, errors=(409, 412, 413, 415, 423, 460, 507), upload=BODY, sends=STATE)
def append_to_upload(actor: Actor, upload_id: UploadId, headers: AppendHeaders) -> Upload:
    """Append a chunk to an upload.

    Bytes received before a connection was lost are kept: get the offset and continue there. A chunk
    with a checksum is accepted as a whole or not at all. The last chunk registers the file.
    """
    if request.mimetype not in CHUNKS:
        raise _wrong_type()
    return _append(actor, upload_id, headers.offset, headers.checksum)


@uploads.delete("/<upload_id>")
@operation(status=204, errors=(412, 423))
def end_upload(actor: Actor, upload_id: UploadId, headers: Tus) -> None:  # noqa: ARG001
    """Delete an upload.

    The bytes received are removed. If the upload is complete, its file stays.
    """
    services().uploads.delete(actor, upload_id)


@uploads.before_request
def check_version() -> None:
    """Check the version before anything else, as tus requires."""
    required = request.method not in ("OPTIONS", "GET")
    if required and request.headers.get("Tus-Resumable") != VERSION:
        raise PreconditionFailed


@uploads.after_request
def finish(reply: Response) -> Response:
    """Add the headers that tus requires of every response."""
    headers = reply.headers
    headers["Tus-Resumable"] = VERSION
    if request.method == "OPTIONS" or reply.status_code == 412:
        headers["Tus-Version"] = VERSION
    if request.method == "OPTIONS":
        headers["Tus-Extension"] = EXTENSIONS
        headers["Tus-Max-Size"] = str(services().files.max_bytes)
        headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    return reply


@uploads.record_once
def override_method(state: BlueprintSetupState) -> None:
    """Support X-HTTP-Method-Override, for clients that can send only GET and POST."""
    app = cast(Flask, state.app)
    inner = app.wsgi_app

    def overridden(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE")
        if (
            method in ("PATCH", "DELETE", "HEAD")
            and environ["REQUEST_METHOD"] == "POST"
            and environ.get("PATH_INFO", "").startswith(UPLOADS)
        ):
            environ["REQUEST_METHOD"] = method
        return inner(environ, start_response)

    app.wsgi_app = overridden  # type: ignore[method-assign]  # as Flask documents it


def _append(actor: Actor, upload_id: str, offset: int, checksum: str | None) -> Upload:
    return services().uploads.append(
        actor,
        upload_id,
        requests.raw_body(),
        offset=offset,
        length=request.content_length,
        checksum=_checksum(checksum) if checksum else None,
    )


def _checksum(text: str) -> Checksum:
    algorithm, _, digest = text.partition(" ")
    try:
        return Checksum(algorithm, base64.b64decode(digest, validate=True))
    except binascii.Error:
        raise Invalid(NOT_BASE64(), field="header.Upload-Checksum") from None


def _file_name(metadata: str) -> str:
    """Return the file name in an Upload-Metadata header, or ""."""
    pairs = [pair.strip().partition(" ") for pair in metadata.split(",") if pair.strip()]
    encoded = {key: value for key, _, value in pairs}
    field = "header.Upload-Metadata"
    if len(encoded) < len(pairs):
        raise Invalid(METADATA_DUPLICATE(), field=field)
    try:
        texts = {key: base64.b64decode(value, validate=True) for key, value in encoded.items()}
        return (texts.get("filename") or texts.get("name") or b"").decode()
    except binascii.Error:
        raise Invalid(METADATA_NOT_BASE64(), field=field) from None
    except UnicodeDecodeError:
        raise Invalid(NAME_NOT_UTF8(), field=field) from None


def _wrong_type() -> WrongContentType:
    return WrongContentType(EXPECTED_CONTENT_TYPE(expected=CHUNK), field="header.Content-Type")
