"""Uploads that may be cut and resumed: the protocol tus 1.0, which has clients for any language."""

from __future__ import annotations

import base64
import binascii
from email.utils import format_datetime
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, request, url_for
from flask.blueprints import BlueprintSetupState
from pydantic import BeforeValidator, Field
from werkzeug.exceptions import PreconditionFailed

from routes.http import examples, requests
from routes.http.context import desk
from routes.http.errors import WrongType
from routes.http.operation import operation
from routes.http.signatures import Header
from services.access.signed_links import UPLOADS
from services.errors import Invalid
from services.files.uploads import ALGORITHMS, Checksum
from services.models import Actor, Model, Upload, UploadId

uploads = Blueprint("uploads", __name__, url_prefix="/uploads")

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
PIECE = "application/offset+octet-stream"
BODY = {PIECE: {"schema": {"type": "string", "format": "binary"}}}
STATE = (
    Header("Upload-Offset", "Bytes that have arrived", lambda one: str(one.offset)),
    Header("Upload-Length", "Bytes of the whole file", lambda one: str(one.size)),
    Header("Upload-Metadata", "As it was sent, if it was", lambda one: one.metadata),
    Header(
        "Upload-Expires",
        "When it is forgotten, unless more of it arrives",
        lambda one: format_datetime(one.expires, usegmt=True),
    ),
    Header("Rundesk-File", "Id of the registered file, once it is one", lambda one: one.file or ""),
)
OF_UPLOAD: dict[str, dict[str, Any]] = {
    name: {"operationId": name, "parameters": {"upload_id": "$response.body#/data/id"}}
    for name in ("get_upload", "append_to_upload", "end_upload")
}


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("this must be a whole number")
    return value


Count = Annotated[int, Field(ge=0, le=requests.MOST), BeforeValidator(_digits)]
Sum = Annotated[
    str,
    Field(
        pattern=rf"^({'|'.join(ALGORITHMS)}) [A-Za-z0-9+/]{{1,100}}={{0,2}}$",
        examples=["sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="],
    ),
]
DIGEST = f"Algorithm ({', '.join(ALGORITHMS)}) and digest in Base64 of the body"


class Tus(Model):
    """What every request says."""

    version: Literal["1.0.0"] = Field(alias="Tus-Resumable", description="Version of tus")


class Creation(Tus):
    """What is to come."""

    size: Count = Field(
        alias="Upload-Length", description="Bytes of the whole file", examples=[2048]
    )
    metadata: str = Field(
        "",
        alias="Upload-Metadata",
        pattern=r"^[!-~ ]{0,4000}$",
        description="Pairs of a key and a value in Base64; `filename` names the file",
        examples=["filename cmVhZHMuZmFzdHE="],
    )
    checksum: Sum | None = Field(None, alias="Upload-Checksum", description=DIGEST)


class Piece(Tus):
    """What the body is."""

    offset: Count = Field(
        alias="Upload-Offset", description="Where the body begins in the file", examples=[0]
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
def create_upload(actor: Actor, headers: Creation) -> Upload:
    """Announce an upload.

    With a body of `application/offset+octet-stream`, its beginning. An upload that fails here
    leaves nothing behind.
    """
    if (request.content_length or 0) > 0 and request.mimetype != PIECE:
        raise _wrong_type()
    uploads, name = desk().uploads, _file_name(headers.metadata)
    upload = uploads.create(actor, size=headers.size, name=name, metadata=headers.metadata)
    if request.mimetype != PIECE:
        return upload
    try:
        return _append(actor, upload.id, 0, headers.checksum)
    except Exception:
        uploads.delete(actor, upload.id)
        raise


@uploads.get("/<upload_id>")
@operation(example=examples.UPLOAD, links=OF_UPLOAD, sends=STATE)
def get_upload(actor: Actor, upload_id: UploadId) -> Upload:
    """Get an upload: how much has arrived, and which file it became.

    tus asks for the same by HEAD. One whose bytes are all there becomes a file by this, if it is
    none yet.
    """
    return desk().uploads.get(actor, upload_id)


@uploads.patch("/<upload_id>")
@operation(status=204, errors=(409, 412, 413, 415, 423, 460, 507), upload=BODY, sends=STATE)
def append_to_upload(actor: Actor, upload_id: UploadId, headers: Piece) -> Upload:
    """Send a piece of an upload.

    What arrived before a connection was cut stays; ask for the offset and go on from there. A
    piece with a checksum counts as a whole or not at all. The last one makes it a file.
    """
    if request.mimetype != PIECE:
        raise _wrong_type()
    return _append(actor, upload_id, headers.offset, headers.checksum)


@uploads.delete("/<upload_id>")
@operation(status=204, errors=(412, 423))
def end_upload(actor: Actor, upload_id: UploadId, headers: Tus) -> None:  # noqa: ARG001
    """End an upload.

    What has arrived of it is removed; a file that it became stays.
    """
    desk().uploads.delete(actor, upload_id)


@uploads.before_request
def check_version() -> None:
    """As tus says: before anything else, and with the version that is spoken here."""
    needed = request.method not in ("OPTIONS", "GET")
    if needed and request.headers.get("Tus-Resumable") != VERSION:
        raise PreconditionFailed


@uploads.after_request
def finish(reply: Response) -> Response:
    """What every reply says."""
    headers = reply.headers
    headers["Tus-Resumable"] = VERSION
    if request.method == "OPTIONS" or reply.status_code == 412:
        headers["Tus-Version"] = VERSION
    if request.method == "OPTIONS":
        headers["Tus-Extension"] = EXTENSIONS
        headers["Tus-Max-Size"] = str(desk().files.max_bytes)
        headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    return reply


@uploads.record_once
def speak_for(state: BlueprintSetupState) -> None:
    """Clients that can only POST say in X-HTTP-Method-Override what they mean."""
    inner = state.app.wsgi_app

    def overridden(environ: dict[str, Any], start: Any) -> Any:
        meant = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE")
        if (
            meant in ("PATCH", "DELETE", "HEAD")
            and environ["REQUEST_METHOD"] == "POST"
            and environ.get("PATH_INFO", "").startswith(UPLOADS)
        ):
            environ["REQUEST_METHOD"] = meant
        return inner(environ, start)

    state.app.wsgi_app = overridden  # type: ignore[method-assign]


def _append(actor: Actor, upload_id: str, offset: int, checksum: str | None) -> Upload:
    return desk().uploads.append(
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
        raise Invalid("This is not Base64.", field="header.Upload-Checksum") from None


def _file_name(metadata: str) -> str:
    """The name in an Upload-Metadata, or nothing."""
    pairs = [pair.strip().partition(" ") for pair in metadata.split(",") if pair.strip()]
    given = {key: value for key, _, value in pairs}
    field = "header.Upload-Metadata"
    if len(given) < len(pairs):
        raise Invalid("A key is given twice.", field=field)
    try:
        texts = {key: base64.b64decode(value, validate=True) for key, value in given.items()}
        return (texts.get("filename") or texts.get("name") or b"").decode()
    except binascii.Error:
        raise Invalid("A value is not Base64.", field=field) from None
    except UnicodeDecodeError:
        raise Invalid("The name is not UTF-8.", field=field) from None


def _wrong_type() -> WrongType:
    return WrongType(
        "This is no piece of a file.", field="header.Content-Type", hint=f"Send {PIECE}."
    )
