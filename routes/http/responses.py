"""Files and logs as responses: ranges, conditions, safe names; no script runs in our origin."""

from __future__ import annotations

import mimetypes
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from flask import Response, send_file
from werkzeug.exceptions import PreconditionFailed

from services.errors import Message, NotFound
from services.results.service import Bundle

#: Scripts of a report run in an origin of its own and cannot load or send anything.
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data:; font-src data:"
)
#: Browsers do not show PDF in a sandbox. Nothing runs in our origin in their own viewer.
VIEWER = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"
PDF = "application/pdf"
BYTES = "application/octet-stream"
COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

CONTENT_GONE = Message("gone", "The content of this file is no longer stored.")


def download(path: Path, name: str, *, sha256: str | None = None, media: str = BYTES) -> Response:
    """Return a file to save under its name."""
    return _send(path, name, sha256, media, attachment=True)


def inline(path: Path, name: str, *, media: str) -> Response:
    """Return a file to show: in a sandbox, or for PDF in the viewer of the browser."""
    reply = _send(path, name, None, media, attachment=False)
    reply.headers["Content-Security-Policy"] = VIEWER if media == PDF else SANDBOX
    return reply


def bundle(archive: Bundle) -> Response:
    """Return a zip to save; it is created while it is sent."""
    reply = Response(archive.blocks, mimetype="application/zip")
    reply.content_length = archive.size
    names = {"filename": archive.name.encode("ascii", "replace").decode().replace("?", "_")}
    if not archive.name.isascii():
        names["filename*"] = f"UTF-8''{quote(archive.name, safe='')}"
    reply.headers.set("Content-Disposition", "attachment", **names)
    return reply


def text(path: Path) -> Response:
    """Return a log, whole or in ranges. It may grow while it is read."""
    return _send(path, path.name, None, "text/plain", attachment=False)


def text_to_save(content: str, name: str) -> Response:
    """Return a text to save under a name of ASCII characters."""
    reply = Response(content, mimetype="text/plain")
    reply.headers.set("Content-Disposition", "attachment", filename=name)
    return reply


def media_type(name: str) -> str:
    """Return the media type for a file name; for compressed files that of the compression."""
    kind, coding = mimetypes.guess_type(PurePosixPath(name).name)
    if coding:
        return COMPRESSED.get(coding, BYTES)
    return kind or BYTES


def _send(path: Path, name: str, etag: str | None, media: str, *, attachment: bool) -> Response:
    try:
        reply = send_file(
            path.absolute(),
            mimetype=media,
            as_attachment=attachment,
            download_name=PurePosixPath(name).name or "file",
            etag=etag or _etag(path),
        )
    except FileNotFoundError:
        raise NotFound(CONTENT_GONE()) from None
    if reply.status_code == 412:
        reply.close()
        raise PreconditionFailed
    reply.headers["Cache-Control"] = "private, no-cache"
    return reply


def _etag(path: Path) -> str:
    """Return a tag that changes with the file; werkzeug's own needs a name that is UTF-8."""
    known = path.stat()
    return f"{known.st_mtime_ns:x}-{known.st_size:x}-{known.st_ino:x}"
