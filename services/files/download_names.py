"""The name of a downloaded file: from the response, the query or the path of its URL.

Servers write names in several ways. Content-Disposition (RFC 6266) may have `filename*`, whose
value states its encoding (RFC 8187), and `filename`, whose bytes have none. URLs name the file in
the last part of their path, or in a parameter of a server that has one address for all downloads:
`/download?type=1&fileName=a.mzML`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))')
ESCAPED_QUOTE = re.compile(r'\\(["\\])')
ESCAPES = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")  # percent signs only in escapes
SLASHES = re.compile(r"[\\/]")
#: RFC 8187 requires UTF-8; older servers use others.
CHARSETS = frozenset({"utf-8", "utf8", "iso-8859-1", "us-ascii", "gb18030", "gbk", "gb2312"})
#: Of a text without a stated encoding, in this order. GB2312 has two bytes above 0xA0 for each
#: character, so it is not mistaken for Latin-1; the last encoding can decode everything.
GUESSED_CHARSETS = ("utf-8", "gb2312", "latin-1")
FILE_NAME_KEY = "filename"  # of a query, whatever its case and punctuation
OTHER_KEYS = frozenset({"file", "name"})  # used where the path names no file


def from_disposition(header: str) -> str:
    """Return the name in a Content-Disposition header, without folders; "" if it has none.

    `header` is as the standard library decodes it: each byte is a character of Latin-1.
    """
    values: dict[str, str] = {}
    unfolded = re.sub(r"\r?\n[ \t]+", " ", header)
    for match in PARAMETER.finditer(f";{unfolded}"):
        quoted, token = match[2], (match[3] or "").strip()
        value = token if quoted is None else ESCAPED_QUOTE.sub(r"\1", quoted)
        values.setdefault(match[1].lower(), value)
    extended = _from_extended(values.get("filename*", ""))
    return extended or last_part(_from_plain(values.get("filename", "")))


def from_url(path: str) -> str:
    """Return the name of the file in the path of a URL with its query, decoded; may be empty.

    A name in the path is returned even if it is invalid, so that the URL is refused at once.
    """
    path, _, query = path.partition("?")
    name = _decoded(unquote_to_bytes(path.rpartition("/")[2]))
    others = []
    for key, value in _parameters(query):
        if key == FILE_NAME_KEY and value:
            return value
        if key in OTHER_KEYS and "." in value.strip("."):
            others.append(value)
    return others[0] if others and "." not in name.strip(".") else name


def last_part(name: str) -> str:
    """Return a name without folders; "" if it is invalid, so that another source is used.

    Invalid are control characters and other unprintable ones, and the names of folders.
    """
    name = SLASHES.split(name.strip())[-1].strip()
    return name if name.isprintable() and name not in (".", "..") else ""


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a query, their keys without case and punctuation."""
    for part in query.split("&"):
        key, _, value = part.partition("=")
        decoded = _decoded(unquote_to_bytes(value.replace("+", " ")))
        yield re.sub(r"[^a-z]", "", key.lower()), last_part(decoded)


def _from_extended(value: str) -> str:
    """Return the name in an extended value such as UTF-8''%E4%B8%AD.csv; "" if it is invalid."""
    charset, _, rest = value.partition("'")
    encoded = rest.partition("'")[2]
    if charset.lower() not in CHARSETS or not ESCAPES.fullmatch(encoded):
        return ""
    try:
        return last_part(unquote_to_bytes(encoded).decode(charset))
    except UnicodeDecodeError:
        return ""


def _from_plain(value: str) -> str:
    """Return the name in a value without a stated encoding.

    Percent signs are not escapes by the standard, but servers send them and browsers decode them.
    """
    if "%" in value and ESCAPES.fullmatch(value):
        try:
            return unquote_to_bytes(value.encode("latin-1")).decode()
        except (UnicodeDecodeError, UnicodeEncodeError):
            pass
    return _decoded(value.encode("latin-1", "replace"))


def _decoded(data: bytes) -> str:
    for charset in GUESSED_CHARSETS[:-1]:
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    return data.decode(GUESSED_CHARSETS[-1])
