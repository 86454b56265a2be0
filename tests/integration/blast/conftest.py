"""Tests of the BLAST API: the services and the client of a test are those of its module."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def services(module_services):
    return module_services


@pytest.fixture(scope="module")
def client(module_client):
    return module_client
