"""Parsing the sources of workflows. Invalid ones are in test_additions.py."""

from __future__ import annotations

import pytest

from services.admin.sources import Source


@pytest.mark.parametrize(
    ("text", "address", "ref", "name"),
    [
        ("https://example.org/Counts.git@v1.2", "https://example.org/Counts.git", "v1.2", "counts"),
        ("https://example.org:8443/counts", "https://example.org:8443/counts", "", "counts"),
        ("https://me:secret@example.org/x@main", "https://me:secret@example.org/x", "main", "x"),
        ("ssh://git@example.org:22/x.git@a1b2", "ssh://git@example.org:22/x.git", "a1b2", "x"),
        ("ssh://example.org/x", "ssh://example.org/x", "", "x"),
        ("git@example.org:lab/x.git@dev/one", "ssh://git@example.org/lab/x.git", "dev/one", "x"),
        ("file:///srv/git/x.git@v1", "file:///srv/git/x.git", "v1", "x"),
    ],
)  # fmt: skip
def test_read_separates_the_address_of_a_repository_from_its_ref(text, address, ref, name):
    found = Source.read(text)
    assert (found.address, found.ref, found.folder, found.name) == (address, ref, None, name)


def test_public_address_does_not_contain_the_password():
    assert Source.read("https://me:secret@example.org/x").public_address == "https://example.org/x"
    assert Source.read("ssh://git@example.org/x").public_address == "ssh://git@example.org/x"
