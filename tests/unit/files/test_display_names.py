"""Display names: every name on disk has one, and no two names share it."""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import strategies as st

from services.files.display_names import display_name, display_names
from tests.helpers.properties import given


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain ä 中文\u3000name.txt".encode(), "plain ä 中文\u3000name.txt"),
        ("样品.txt".encode("gbk"), "\ufffd\ufffd\u01b7.txt"),
        ("Müll.txt".encode("latin-1"), "M\ufffdll.txt"),
        (b"two\nlines\t.txt", "two\ufffdlines\ufffd.txt"),
        ("line\u2028end\x85.txt".encode(), "line\ufffdend\ufffd.txt"),
        (b"\x1b[31mred.txt", "\ufffd[31mred.txt"),
        (b"a" * 255, "a" * 255),
    ],
)
def test_display_name_of_any_bytes_is_printable_text(name, expected):
    assert display_name(os.fsdecode(name)) == expected


def test_display_names_that_are_equal_get_numbers_and_exact_names_stay():
    paths = [
        os.fsdecode(name) for name in (b"d/\xff.tsv.gz", "d/�.tsv.gz".encode(), b"d/\xfe.tsv.gz")
    ]
    assert display_names(paths) == {
        "d/� (3).tsv.gz": paths[0],
        "d/�.tsv.gz": paths[1],
        "d/� (2).tsv.gz": paths[2],
    }


@given(st.lists(st.binary(min_size=1, max_size=6)))
def test_display_names_lose_no_path_and_are_valid_utf8(names):
    paths = {os.fsdecode(name.replace(b"/", b"_").replace(b"\0", b"\n")) for name in names}
    displayed = display_names(paths)
    assert set(displayed.values()) == paths
    for name in displayed:
        name.encode()
        assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)
