"""Decodes tables of text, which programs write in several encodings without naming them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.errors import Message, Text
from services.settings import MIB
from services.sheets.cells import unreadable

MIN_SCORE = 0.5  # share of usual characters; with less, the encoding is not used
MIN_ALONE = 0.75  # share of bytes beyond ASCII that stand alone in Western text
SAMPLE_CHARACTERS = 200_000  # of those that are not ASCII; the score is that of these

SAVE_AS_UTF8 = "Save it as “CSV UTF-8”, or as an Excel workbook (xlsx)."
NUL_CHARACTER = Message(
    "invalid_characters",
    "Line {line} contains a NUL character: the sheet is not text.",
    hint=SAVE_AS_UTF8,
)
NOT_UTF8 = Message("wrong_format", "Line {line} is not encoded in UTF-8.", hint=SAVE_AS_UTF8)
BAD_UTF16 = Message("wrong_format", "The sheet is not valid UTF-16.", hint=SAVE_AS_UTF8)
EMPTY_SHEET = Message("missing", "The sheet is empty.")
OTHER_ENCODING = Message(
    "wrong_format",
    "The sheet is not encoded in UTF-8; it was read as {encoding}.",
    hint="If characters are wrong, save it as “CSV UTF-8”.",
)

#: Windows encodings in which Excel writes "CSV" in China, in Taiwan, and in Western countries.
LEGACY_ENCODINGS = {"gb18030": "GB18030 (GBK)", "cp950": "Big5", "cp1252": "Windows-1252"}
#: Letters with accents and signs in Western tables. Others, such as ½ or Ð, are mostly the bytes
#: of other encodings.
WESTERN = re.compile(
    "[ÀÁÂÄÅÆÇÈÉÊËÍÎÑÓÔÖØÚÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüµ°±²³·×—“”…€®™ºª\u00a0\u2013\u2018\u2019]"
)
HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
WESTERN_WORD = re.compile("[À-ÿ]{4,}")  # not in any Western language; usual for Chinese bytes


@dataclass(frozen=True)
class Decoded:
    """The text of a table, with a note where its encoding was chosen by the characters."""

    text: str
    notes: tuple[Text, ...] = ()


def decoded(data: bytes) -> list[Decoded]:
    """Return the text in the encodings that it may have, the most likely first. Raises Invalid."""
    if encoding := utf16(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            raise unreadable(BAD_UTF16()) from None
        return [Decoded(_filled(text.removeprefix("\ufeff")))]
    if (position := data.find(b"\0")) >= 0:
        raise unreadable(NUL_CHARACTER(line=data.count(b"\n", 0, position) + 1))
    try:
        return [Decoded(_filled(data.decode("utf-8-sig")))]
    except UnicodeDecodeError as error:
        results = [] if _mostly_utf8(data) else list(_legacy(data))
        if not results:
            line = data.count(b"\n", 0, error.start) + 1
            raise unreadable(NOT_UTF8(line=line)) from None
        return results


def _filled(text: str) -> str:
    if "\0" in text:
        raise unreadable(NUL_CHARACTER(line=text.count("\n", 0, text.index("\0")) + 1))
    if not text.strip():
        raise unreadable(EMPTY_SHEET())
    return text


def utf16(data: bytes) -> str:
    """Return the kind of UTF-16, by its byte order mark or its NUL bytes; "" for anything else."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = data[:200]
    high, low = start[0::2].count(0), start[1::2].count(0)
    if low > len(start) // 8 and not high:
        return "utf-16-le"
    return "utf-16-be" if high > len(start) // 8 and not low else ""


def _mostly_utf8(data: bytes) -> bool:
    """Return whether most characters are valid UTF-8, so that a few bytes are damaged."""
    text = data[:MIB].decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return sum(not letter.isascii() for letter in text) - wrong > wrong


def _legacy(data: bytes) -> Iterator[Decoded]:
    """Yield the text in the encodings in which most of its characters are usual ones.

    Western text comes first where most bytes beyond ASCII stand alone, Chinese text otherwise.
    """
    runs = [len(run[0]) for run in itertools.islice(HIGH_BYTES.finditer(data), SAMPLE_CHARACTERS)]
    alone = runs.count(1) >= MIN_ALONE * sum(runs)
    scored = []
    for encoding, name in LEGACY_ENCODINGS.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if (score := _score(text, encoding)) >= MIN_SCORE:
            first = (encoding == "cp1252") == alone
            scored.append(((first, score), Decoded(text, (OTHER_ENCODING(encoding=name),))))
    scored.sort(key=lambda entry: entry[0], reverse=True)  # of equal ones the first stays first
    yield from (entry for _, entry in scored)


def _score(text: str, encoding: str) -> float:
    """Return the share of usual characters among those that are not ASCII."""
    others = (letter for letter in text if not letter.isascii())
    letters = list(itertools.islice(others, SAMPLE_CHARACTERS))
    if encoding == "cp1252":
        usual = sum(WESTERN.match(letter) is not None for letter in letters)
        words = itertools.islice(WESTERN_WORD.finditer(text), SAMPLE_CHARACTERS)
        usual -= sum(len(word[0]) for word in words)
    else:
        usual = sum(_usual_chinese(letter, encoding) for letter in letters)
    return usual / len(letters) if letters else 0.0


def _usual_chinese(letter: str, encoding: str) -> bool:
    """Return whether a character is a sign or a frequent ideograph of the encoding.

    Frequent ideographs are those of level 1: rows B0 to D7 of GB 2312, A4 to C6 of Big5.
    """
    code = letter.encode(encoding)
    if len(code) != 2:
        return False
    if encoding == "gb18030":
        return code[1] >= 0xA1 and (0xA1 <= code[0] <= 0xA9 or 0xB0 <= code[0] <= 0xD7)
    return 0xA1 <= code[0] <= 0xC6
