"""The BLAST API: unmodified Biopython, reports against the table of hits, invalid requests."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import threading
import time
import urllib.error
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
import requests
from Bio import Blast, SearchIO
from Bio.Blast import NCBIWWW, NCBIXML

from services.access.actors import local_actor
from services.bootstrap import build
from services.models import RunFilter, RunRequest, State, Submission
from services.settings import HERE, Settings
from tests.helpers.api import client_of, open_desk
from tests.helpers.docs import run_recipes
from tests.helpers.processes import Servers
from tests.helpers.sequences import reverse_complement
from tests.helpers.waiting import free_port, until

ME = local_actor()
UNKNOWN = "0" * 24
EXAMPLE = HERE / "workflows" / "sequence-search" / "example"
CHROMOSOME = HERE / "tests" / "data" / "chr17_4.2kb.fa"
DATABASE = "swissprot_subset"
PEPTIDE = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV"
PUT = {"CMD": "Put", "PROGRAM": "blastp", "DATABASE": DATABASE, "QUERY": PEPTIDE}

Row = dict[str, str]


def rid_of(page: str) -> str:
    """As clients read it."""
    return page.partition("RID = ")[2].split()[0]


# ---- without a runner ------------------------------------------------------------------------


def asked(client, **parameters: Any) -> Any:
    return client.post("/Blast.cgi", data=parameters)


def stored(services) -> Any:
    runs = services.runs.list(ME, RunFilter(limit=200)).items
    return services.files.list(ME, limit=200).items, [run.id for run in runs]


def refused(reply, status: int) -> str:
    """Return the error in the status line; the page has it too."""
    assert reply.status_code == status, reply.text
    assert reply.mimetype == "text/html"
    assert "Traceback" not in reply.text
    said = reply.text.partition('<p class="error">')[2].partition("</p>")[0]
    assert said.startswith("Message ID#")
    sentence: str = reply.status.partition(" ")[2]
    assert sentence
    return sentence


def test_put_by_get_and_by_post_queues_the_workflow(client, services):
    for reply in (client.get("/Blast.cgi", query_string=PUT), asked(client, **PUT)):
        assert reply.status_code == 200
        assert reply.text.startswith("<!DOCTYPE html")
        assert int(reply.text.partition("RTOE = ")[2].split()[0]) > 0
        run = services.runs.get(ME, rid_of(reply.text))
        assert (run.workflow, run.state) == ("sequence-search", State.QUEUED)
        assert (run.params["program"], run.params["evalue"]) == ("blastp", 10)
        query, database = services.files.path(ME, run.params["queries"]), run.inputs[1]
        assert query.read_text() == f">Query_1\n{PEPTIDE}\n"
        assert database.name == "swissprot_subset.fasta.gz"


def test_parameters_become_those_of_the_workflow(client, services):
    reply = asked(
        client,
        **{name.lower(): value for name, value in PUT.items()},
        Expect="1e-3",
        HITLIST_SIZE="7",
        PERC_IDENT="40",
        FILTER="F",
        GENETIC_CODE="11",
        MATRIX="BLOSUM62",
        ENTREZ_QUERY="(none)",
        tool="biopython",
    )
    params = services.runs.get(ME, rid_of(reply.text)).params
    expected = {
        "evalue": 1e-3,
        "max_hits": 7,
        "min_identity": 40,
        "mask_low_complexity": False,
        "genetic_code": 11,
    }
    assert expected.items() <= params.items()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (">a b\nMKT\nAYI\n", ">a b\nMKT\nAYI\n"),
        ("  MKT\r\nAYI* ", ">Query_1\nMKTAYI*\n"),
        ("1 mktay 5\n6 iakqr 10", ">Query_1\nmktayiakqr\n"),
    ],
)
def test_query_is_fasta_or_a_bare_sequence(client, services, sent, kept):
    run = services.runs.get(ME, rid_of(asked(client, **{**PUT, "QUERY": sent}).text))
    assert services.files.path(ME, run.params["queries"]).read_text() == kept


def test_database_is_a_file_by_id_name_or_name_without_suffix_the_newest_first(client, services):
    def register(name, text):
        return services.files.register(ME, name, BytesIO(text))

    register("soil.fasta", b">old\nMKT\n")
    soil = register("soil.fasta", b">new\nMKTAYIAK\n")
    register("topsoil.fasta.gz", b"")
    register("soil.tsv", b"")
    for name in (soil.id, "soil.fasta", "soil"):
        run = services.runs.get(ME, rid_of(asked(client, **{**PUT, "DATABASE": name}).text))
        assert run.params["database"] == soil.id


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no command": ({"CMD": ""}, "CMD: Must be one of Put, Get, Delete."),
    "other command": ({"CMD": "DisplayRIDs"}, "CMD"),
    "no program": (
        {"PROGRAM": ""},
        "PROGRAM: Must be one of blastn, blastp, blastx, tblastn, tblastx.",
    ),
    "other program": ({"PROGRAM": "psiblast"}, "PROGRAM"),
    "no database": ({"DATABASE": ""}, "DATABASE: Required."),
    "unknown database": ({"DATABASE": "nr"}, "DATABASE: Database not found. Available databases:"),
    "pattern as database": ({"DATABASE": ".*"}, "DATABASE"),
    "traversal as database": ({"DATABASE": "../../etc/passwd"}, "DATABASE"),
    "unknown id as database": ({"DATABASE": UNKNOWN}, "DATABASE"),
    "no query": ({"QUERY": " \n"}, "Query contains no data"),
    "accession": (
        {"QUERY": "P69905.2"},
        "QUERY: Not a valid sequence. Accession numbers are not supported.",
    ),
    "markup": ({"QUERY": "<script>alert(1)</script>"}, "QUERY"),
    "no number": ({"EXPECT": "low"}, "EXPECT: Must be a number."),
    "not finite": ({"EXPECT": "nan"}, "EXPECT"),
    "too large": ({"EXPECT": "1000"}, "EXPECT: Must be at most 10."),
    "too small": ({"EXPECT": "0"}, "EXPECT"),
    "no integer": ({"HITLIST_SIZE": "1.5"}, "HITLIST_SIZE: Must be an integer."),
    "5,000 digits": ({"HITLIST_SIZE": "9" * 5000}, "HITLIST_SIZE"),
    "too many": ({"HITLIST_SIZE": "999999"}, "HITLIST_SIZE"),
    "no genetic code": ({"GENETIC_CODE": "7"}, "GENETIC_CODE"),
    "organism": ({"ENTREZ_QUERY": "Homo sapiens[ORGN]"}, "ENTREZ_QUERY"),
    "part of the query": ({"QUERY_FROM": "5"}, "QUERY_FROM"),
    "psi": ({"SERVICE": "psi"}, "SERVICE: This parameter is not supported."),
    "NUL": ({"DATABASE": "a\0b"}, "DATABASE"),
    "twice": ({"program": "blastn"}, "PROGRAM: Must be given only once."),
}


@pytest.mark.parametrize("name", WRONG)
def test_invalid_put_is_400_and_stores_nothing(client, services, name):
    changed, expected = WRONG[name]
    before = stored(services)
    assert expected in refused(asked(client, **{**PUT, **changed}), 400)
    assert stored(services) == before


def test_query_larger_than_a_body_is_413(client, services):
    before = stored(services)
    refused(asked(client, **{**PUT, "QUERY": "M" * 2**20}), 413)
    assert stored(services) == before


@pytest.mark.parametrize("body", [b"CMD=%ff", b"CMD=Put&CMD=Get", b"&".join([b"a=1"] * 1001)])
def test_form_that_cannot_be_read_is_400(client, body):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(client.post("/Blast.cgi", data=body, headers=kind), 400)
    refused(client.post("/Blast.cgi", data=body, headers={"Content-Type": "text/plain"}), 400)


@pytest.mark.parametrize("rid", ["", "x", UNKNOWN, "../x", "\0", '{"$gt": ""}'])
@pytest.mark.parametrize("command", ["Get", "Delete"])
def test_unknown_search_is_404_with_the_status_unknown(client, command, rid):
    reply = asked(client, CMD=command, RID=rid)
    assert reply.status_code in ((400, 404) if rid == "\0" else (404,))
    assert rid == "\0" or "Status=UNKNOWN\n" in reply.text


def test_run_of_another_workflow_is_no_search(client, services):
    run = services.runs.submit(ME, RunRequest(workflow="demo", example=True))
    refused(asked(client, CMD="Get", RID=run.id), 404)
    refused(asked(client, CMD="Delete", RID=run.id), 404)
    assert services.runs.get(ME, run.id).state is State.QUEUED


@pytest.mark.parametrize("kind", ["XML2", "ASN.1", "x"])
def test_unsupported_report_format_is_400(client, kind):
    assert "FORMAT_TYPE" in refused(asked(client, CMD="Get", RID=UNKNOWN, FORMAT_TYPE=kind), 400)


def test_page_of_another_site_changes_nothing(client, services):
    before = stored(services)
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        for query in (PUT, {"CMD": "Delete", "RID": UNKNOWN}):
            refused(client.get("/Blast.cgi", query_string=query, headers=headers), 403)
    refused(client.post("/Blast.cgi", data=PUT, headers={"Origin": "http://evil.example"}), 403)
    assert stored(services) == before


def test_at_most_two_requests_wait_for_a_new_search(client, services):
    rid = rid_of(asked(client, **PUT).text)
    replies: list[Any] = []

    def get():
        replies.append(client_of_app(client).post("/Blast.cgi", data={"CMD": "Get", "RID": rid}))

    held = [threading.Thread(target=get) for _ in range(2)]
    for thread in held:
        thread.start()
    until(lambda: all_taken(client.application.extensions["rundesk.blast.waiting"]))
    began = time.monotonic()
    at_once = client.get("/Blast.cgi", query_string={"CMD": "Get", "RID": rid})
    assert at_once.status_code == 200
    assert at_once.text.startswith("<!DOCTYPE html")
    assert "Status=WAITING\n" in at_once.text
    assert time.monotonic() - began < 1
    assert not replies
    services.runs.cancel(ME, rid)
    for thread in held:
        thread.join(10)
    for reply in replies:
        assert "Canceled" in refused(reply, 409)
        assert "Status=FAILED\n" in reply.text
    assert len(replies) == 2


def all_taken(places: threading.BoundedSemaphore) -> bool:
    if places.acquire(blocking=False):
        places.release()
        return False
    return True


def client_of_app(client):
    """Another client of the same app, for another thread."""
    return client.application.test_client()


def test_request_does_not_wait_for_an_old_search(client, services):
    run = services.runs.get(ME, rid_of(asked(client, **PUT).text))
    fields = {name: getattr(run, name) for name in Submission.model_fields}
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    old, _ = services.database.runs.add(Submission(**fields), now=long_ago, key=None, body="")
    began = time.monotonic()
    assert "Status=WAITING\n" in asked(client, CMD="Get", RID=old.id).text
    assert time.monotonic() - began < 1


def test_delete_forgets_the_search_and_its_query(client, services):
    rid = rid_of(asked(client, **{**PUT, "QUERY": PEPTIDE[:40]}).text)
    again = rid_of(asked(client, **{**PUT, "QUERY": PEPTIDE[:40]}).text)
    query = services.runs.get(ME, rid).params["queries"]
    assert "Deleted" in asked(client, CMD="Delete", RID=rid).text
    refused(asked(client, CMD="Get", RID=rid), 404)
    assert services.files.get(ME, query)  # of the other search too
    asked(client, CMD="Delete", RID=again)
    assert query not in [file.id for file in services.files.list(ME).items]


def test_search_of_another_user_is_not_found(mongod, tmp_path):
    secret = "0123456789abcdef"
    given = {"remote_user_header": "X-User", "remote_user_secret": secret}
    with open_desk(mongod, tmp_path, **given) as services:
        client = client_of(services)

        def ask(user, **parameters):
            headers = {"X-User": user, "X-Rundesk-Secret": secret}
            return client.post("/Blast.cgi", data=parameters, headers=headers)

        upload = {"X-User": "ada", "X-Rundesk-Secret": secret}
        client.post("/api/v1/files?name=hers.fasta", data=b">a\nMKT\n", headers=upload)
        rid = rid_of(ask("ada", **{**PUT, "DATABASE": "hers"}).text)
        refused(ask("bob", **{**PUT, "DATABASE": "hers"}), 400)
        refused(ask("bob", CMD="Get", RID=rid), 404)
        refused(ask("bob", CMD="Delete", RID=rid), 404)
        refused(client.post("/Blast.cgi", data=PUT), 401)


def test_database_that_is_away_is_503_with_retry_after(tmp_path):
    services = build(Settings(data=tmp_path, db_port=free_port()))
    reply = asked(client_of(services), CMD="Get", RID=UNKNOWN)
    refused(reply, 503)
    assert reply.headers["Retry-After"]
    services.close()


# ---- with a runner ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(served) -> Servers:
    return served


@pytest.fixture(autouse=True)
def no_search_before(monkeypatch):
    """Biopython leaves 20 s between two polls, those of different searches too."""
    monkeypatch.setattr(NCBIWWW.qblast, "previous", 0)


@pytest.fixture(scope="module")
def url(server) -> str:
    return f"{server.settings.public_api_url}/Blast.cgi"


@pytest.fixture(scope="module")
def queries() -> str:
    with gzip.open(EXAMPLE / "queries.fasta.gz", "rt") as file:
        return file.read()


def submitted(url: str, **parameters: str) -> str:
    reply = requests.post(url, data={**PUT, **parameters}, timeout=20)
    assert reply.status_code == 200, reply.text
    return rid_of(reply.text)


def fetched(url: str, rid: str, **parameters: str) -> requests.Response:
    """The report, once it is there."""

    def ready() -> requests.Response | None:
        reply = requests.get(url, params={"CMD": "Get", "RID": rid, **parameters}, timeout=20)
        assert reply.status_code == 200, reply.text
        return None if "Status=WAITING\n" in reply.text else reply

    found = until(ready)
    assert found is not None
    return found


def result(server: Servers, rid: str, name: str) -> requests.Response:
    api = server.settings.public_api_url
    return requests.get(f"{api}/api/v1/runs/{rid}/results/results/{name}", timeout=20)


def table(server: Servers, rid: str) -> list[Row]:
    """The hits table of a search."""
    text = result(server, rid, "hits.tsv").content.decode()
    return list(csv.DictReader(StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


@dataclass(frozen=True)
class Search:
    """A search by Biopython, over."""

    rid: str
    xml: str
    asked: float  # s until Biopython had the report
    took: float  # s until the run was over


def listed(server) -> dict[str, Any]:
    """The latest runs of the desk by id."""
    runs = requests.get(f"{server.settings.public_api_url}/api/v1/runs", timeout=20).json()
    return {run["id"]: run for run in runs["data"]["items"]}


@pytest.fixture(scope="module")
def example(server, url, queries) -> Search:
    """The queries of the example against its database, by Biopython: one run."""
    NCBIWWW.qblast.previous = 0
    before, began = listed(server), time.monotonic()
    reply = NCBIWWW.qblast("blastp", DATABASE, queries, url_base=url, expect=1e-5, hitlist_size=100)
    asked = time.monotonic() - began
    (run,) = [run for run_id, run in listed(server).items() if run_id not in before]
    assert run["params"]["max_hits"] == 100
    made, ended = (datetime.fromisoformat(run[name]) for name in ("created", "ended"))
    return Search(run["id"], reply.read(), asked, (ended - made).total_seconds())


def test_biopython_needs_one_poll_for_a_quick_search(example):
    assert example.asked < 20 or example.took > 14  # its second poll would come after 20 s


def test_biopython_reads_the_hits_of_the_hits_table(server, example, queries):
    hits = table(server, example.rid)
    assert len(hits) == 59  # eleven more than with the settings of the example
    records = list(NCBIXML.parse(StringIO(example.xml)))
    assert (records[0].application, records[0].database) == ("BLASTP", DATABASE)
    assert [record.query for record in records] == [
        line[1:].rstrip() for line in queries.splitlines() if line.startswith(">")
    ]
    assert [
        (
            record.query.split()[0],
            alignment.hit_id,
            alignment.length,
            hsp.expect,
            hsp.bits,
            hsp.query_start,
            hsp.sbjct_end,
            hsp.align_length,
            round(100 * hsp.identities / hsp.align_length, 2),
            round(100 * hsp.positives / hsp.align_length, 2),
        )
        for record in records
        for alignment in record.alignments
        for hsp in alignment.hsps
    ] == [
        (
            hit["query"],
            hit["target"],
            int(hit["target_length"]),
            float(hit["evalue"]),
            float(hit["bit_score"]),
            int(hit["query_start"]),
            int(hit["target_end"]),
            int(hit["alignment_length"]),
            float(hit["identity_percent"]),
            float(hit["positives_percent"]),
        )
        for hit in hits
    ]


def test_biopython_stops_at_a_search_that_failed(url):
    with pytest.raises(urllib.error.HTTPError, match="409") as failure:
        NCBIWWW.qblast("blastx", DATABASE, PEPTIDE, url_base=url)  # which takes nucleotides
    assert b"Status=FAILED\n" in failure.value.read()
    failure.value.close()


def test_biopython_says_what_is_wrong(url):
    with pytest.raises(urllib.error.HTTPError, match="Database not found") as failure:
        NCBIWWW.qblast("blastp", "nr", PEPTIDE, url_base=url)
    failure.value.close()


def check_parsed(content: bytes, hits: list[Row]) -> list[Any]:
    """Biopython's newer parser checks positions and frames against the aligned letters."""
    records = Blast.parse(BytesIO(content))
    found = [hsp for record in records for hit in record for hsp in hit]
    assert [hsp.annotations["evalue"] for hsp in found] == [float(hit["evalue"]) for hit in hits]
    results = SearchIO.parse(BytesIO(content), "blast-xml")
    searched = [hsp.evalue for result in results for hit in result for hsp in hit]
    assert searched == [float(hit["evalue"]) for hit in hits]
    return found


def test_other_reports_have_the_same_hits(server, url, example):
    rid, hits = example.rid, table(server, example.rid)
    xml = fetched(url, rid, FORMAT_TYPE="XML")
    assert xml.headers["Content-Type"].startswith("application/xml")
    assert xml.content.decode() == example.xml
    check_parsed(xml.content, hits)

    text = fetched(url, rid, FORMAT_TYPE="Tabular").content.decode()
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    assert rows == [list(hit.values())[:12] for hit in hits]
    assert len(list(SearchIO.parse(StringIO(text), "blast-tab", comments=True))) == 25
    view = {"FORMAT_TYPE": "Text", "ALIGNMENT_VIEW": "Tabular"}
    assert fetched(url, rid, **view).content.decode() == text

    single = fetched(url, rid, FORMAT_TYPE="JSON2_S").json()["BlastOutput2"]
    searches = [one["report"]["results"]["search"] for one in single]
    assert [
        (hit["description"][0]["id"], hsp["evalue"], hsp["query_from"], hsp["hit_to"])
        for search in searches
        for hit in search["hits"]
        for hsp in hit["hsps"]
    ] == [
        (hit["target"], float(hit["evalue"]), int(hit["query_start"]), int(hit["target_end"]))
        for hit in hits
    ]

    archive = zipfile.ZipFile(io.BytesIO(fetched(url, rid, FORMAT_TYPE="JSON2").content))
    members = [one["File"] for one in json.loads(archive.read(f"{rid}.json"))["BlastJSON"]]
    documents = [json.loads(archive.read(member))["BlastOutput2"] for member in members]
    assert documents == single

    text = fetched(url, rid, FORMAT_TYPE="Text").content
    assert text == result(server, rid, "alignments.txt").content
    page = fetched(url, rid)
    assert page.content == result(server, rid, "report.html").content
    assert page.headers["Content-Security-Policy"].startswith("sandbox")


def test_search_info_says_whether_there_are_hits(url, example):
    assert "ThereAreHits=yes" in fetched(url, example.rid, FORMAT_OBJECT="SearchInfo").text
    rid = submitted(url, QUERY="WWWWCCCCHHHHWWWWPPPP", EXPECT="1e-9")
    page = fetched(url, rid, FORMAT_OBJECT="SearchInfo").text
    assert "Status=READY\n" in page
    assert "ThereAreHits=no" in page
    (record,) = NCBIXML.parse(BytesIO(fetched(url, rid, FORMAT_TYPE="XML").content))
    assert record.alignments == []


def chromosome() -> str:
    return "".join(CHROMOSOME.read_text().split("\n")[1:]).upper()


LETTERS = "ACDEFGHIKLMNPQRSTVWY"
CODONS = "GCTTGTGATGAATTTGGTCATATTAAACTGATGAATCCTCAGCGTTCTACTGTTTGGTAT"
CODON = {letter: CODONS[3 * at : 3 * at + 3] for at, letter in enumerate(LETTERS)}


@pytest.fixture(scope="module")
def contig(queries) -> tuple[str, str]:
    """A protein, and a piece of DNA with its gene on each strand."""
    protein = "".join(queries.split(">")[1].split("\n")[1:])
    gene = "".join(CODON[letter] for letter in protein)
    dna = chromosome()
    return protein, dna[:301] + gene + dna[301:900] + reverse_complement(gene)


@pytest.mark.parametrize("program", ["blastn", "blastx", "tblastn", "tblastx"])
def test_other_programs_give_positions_that_agree_with_the_letters(server, url, contig, program):
    protein, dna = contig
    nucleotide = program in ("blastn", "tblastx")
    query = dna if program == "blastx" else protein
    query = reverse_complement(dna[400:880]) if nucleotide else query
    target = protein if program == "blastx" else dna
    api = server.settings.public_api_url
    upload = requests.post(
        f"{api}/api/v1/files?name={program}.fasta", data=f">t =&<\n{target}\n", timeout=20
    )
    assert upload.status_code == 201
    rid = submitted(url, PROGRAM=program, DATABASE=program, QUERY=query, EXPECT="1e-5")
    content = fetched(url, rid, FORMAT_TYPE="XML").content
    found = check_parsed(content, table(server, rid))
    assert found
    frames = {
        (hsp.findtext("Hsp_query-frame"), hsp.findtext("Hsp_hit-frame"))
        for hsp in ElementTree.fromstring(content).iter("Hsp")
    }
    expected = {
        "blastn": {("1", "-1")},
        "blastx": {("2", "0"), ("-1", "0")},
        "tblastn": {("0", "2"), ("0", "-1")},
    }
    assert program == "tblastx" or frames == expected[program]
    assert b"Status=" not in content
    (described,) = {hit.findtext("Hit_def") for hit in ElementTree.fromstring(content).iter("Hit")}
    assert described == "=&<"
    strands = {
        (hsp.get("query_strand"), hsp.get("hit_strand"))
        for one in fetched(url, rid, FORMAT_TYPE="JSON2_S").json()["BlastOutput2"]
        for hit in one["report"]["results"]["search"]["hits"]
        for hsp in hit["hsps"]
    }
    assert strands == ({("Plus", "Minus")} if program == "blastn" else {(None, None)})


def test_recipe_does_what_it_says(server, tmp_path):
    said = run_recipes("guide/blast.md", tmp_path, BLAST=server.settings.public_api_url)
    assert re.search(r"^Query_1\tsp\|\w+\|DMS", said, re.MULTILINE)
    assert "Deleted" in said
