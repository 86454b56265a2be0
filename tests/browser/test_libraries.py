"""Libraries of front ends in their default settings, on a page of a listed origin, with a token."""

from __future__ import annotations

import re

import pysam
import pytest
from playwright.sync_api import expect

from services.access.actors import local_actor
from services.bootstrap import build
from services.models import Scope, TokenRequest
from services.settings import HERE
from tests.helpers import front_ends
from tests.helpers.folder_site import folder_site
from tests.helpers.shared_desk import shared

pytestmark = pytest.mark.long

REFERENCE = HERE / "tests" / "data" / "chr17_4.2kb.fa"
PAGE = '<!doctype html><meta charset="utf-8"><div id="app"></div><div id="igv"></div>'


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Another site, with the page."""
    front_ends.need_npm()
    folder = front_ends.folder(tmp_path_factory.mktemp("site") / "page")
    options = (
        "--jsx=automatic",
        "--format=iife",
        "--main-fields=module,main",
        '--define:process.env.NODE_ENV="production"',
    )
    script = front_ends.bundle(folder, "page.jsx", *options)
    (folder / "index.html").write_text(f'{PAGE}<script src="{script.name}"></script>')
    with folder_site(folder) as address:
        yield address


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory, site):
    """An installation with tokens whose API may be used by pages of that site."""
    folder = tmp_path_factory.mktemp("desk")
    given = {"sign_in_by": "tokens", "wall": "available", "cors_origins": (site,)}
    with shared(mongod, folder, "api", "runner", **given) as servers:
        yield servers


@pytest.fixture(scope="module")
def page(chromium, desk, site):
    services = build(desk.settings)
    wanted = TokenRequest(name="front end", owner="ann", scope=Scope.SUBMIT)
    token = services.tokens.create(local_actor(), wanted).secret
    services.close()
    page = chromium.new_page()
    page.set_default_timeout(120_000)
    page.route(lambda url: "//127.0.0.1:" not in url, lambda route: route.abort())
    page.goto(f"{site}/#{desk.settings.public_api_url}%20{token}")
    yield page
    page.close()


@pytest.fixture(scope="module")
def alignment(tmp_path_factory):
    """A sorted BAM file with reads on chr17, and its index."""
    path = tmp_path_factory.mktemp("bam") / "reads.bam"
    with pysam.FastaFile(str(REFERENCE)) as fasta:
        (name,), (length,) = fasta.references, fasta.lengths
        sequence = fasta.fetch(name)
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": length}]}
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for number in range(50):
            read = pysam.AlignedSegment(file.header)
            read.query_name, read.flag, read.mapping_quality = f"r{number}", 0, 60
            read.reference_id, read.reference_start = 0, 1000 + number
            read.query_sequence = sequence[1000 + number : 1100 + number]
            read.cigartuples = [(0, 100)]
            file.write(read)
    pysam.index(str(path))
    return path, path.with_name("reads.bam.bai")


def upload(page, *paths) -> list[str]:
    """Upload files with Ant Design's Upload; return their ids."""
    page.locator("input[type=file]").set_input_files(list(paths))
    ids = []
    for path in paths:
        done = page.locator(f'p.done[data-name="{path.name}"]')
        expect(done).to_have_text(re.compile("^[0-9a-f]{24}$"), timeout=60_000)
        ids.append(done.inner_text())
    return ids


def test_upload_of_ant_design_and_igv_by_signed_links_work(page, alignment, tmp_path):
    reference = tmp_path / "参考.fa"
    reference.write_bytes(REFERENCE.read_bytes())
    ids = upload(page, reference, *alignment)
    ranges = []
    page.on("response", lambda reply: ranges.append(reply.status))
    assert page.evaluate("ids => window.page.draw(...ids)", ids) == 50
    assert 206 in ranges
    expect(page.locator("#igv canvas").first).to_be_attached()


def test_axios_event_source_and_frame_follow_a_run_to_its_report(page):
    assert page.evaluate("window.page.run()") == "COMPLETE"
    expect(page.frame_locator("#report").locator("h1").first).to_be_visible()
    assert page.evaluate("window.page.list()") >= 1
