"""Responses are compressed where the client accepts it and it pays."""

from __future__ import annotations

import gzip

import pytest

from services.access.actors import local_actor
from tests.helpers.api import finished_run

GZIP = {"Accept-Encoding": "gzip, br"}
REPORT = "<!doctype html>" + "<p>Report" * 1000


@pytest.fixture(scope="module")
def report(services):
    run = finished_run(services, local_actor(), {"results/report.html": REPORT})
    return f"/api/v1/runs/{run.id}/report"


@pytest.mark.parametrize(
    "address",
    ["/apidocs/openapi.json", "/apidocs/static/swagger-ui-bundle.js", "/api/v1/workflows"],
)
def test_long_text_is_compressed(client, address):
    whole = client.get(address)
    packed = client.get(address, headers=GZIP)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in ", ".join(packed.headers.getlist("Vary"))
    assert gzip.decompress(packed.data) == whole.data
    assert len(packed.data) == packed.content_length < len(whole.data) / 2
    assert "Content-Encoding" not in whole.headers
    assert "Accept-Encoding" in ", ".join(whole.headers.getlist("Vary"))


def test_tag_of_a_compressed_response_is_known_again(client, report):
    for address in ("/api/v1/workflows", report):
        packed = client.get(address, headers=GZIP)
        assert packed.headers["ETag"].startswith('W/"')
        again = client.get(address, headers=GZIP | {"If-None-Match": packed.headers["ETag"]})
        assert again.status_code == 304


def test_ranges_short_responses_and_refusals_are_sent_as_they_are(client, report):
    part = client.get(report, headers=GZIP | {"Range": "bytes=0-4000"})
    assert (part.status_code, part.text) == (206, REPORT[:4001])
    for headers in ({"Accept-Encoding": "gzip;q=0"}, {"Accept-Encoding": "br"}, {}):
        assert client.get(report, headers=headers).text == REPORT
    for reply in (client.get("/healthz", headers=GZIP), client.head(report, headers=GZIP)):
        assert "Content-Encoding" not in reply.headers
