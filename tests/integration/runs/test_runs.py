"""Submitting, reading and changing runs, on a real database."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from services.bootstrap import build
from services.catalogue.configuration import Configuration
from services.catalogue.layout import snapshot_folder
from services.engine.staging import values
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.logs import tail
from services.models import Actor, RunFilter, RunRequest, State
from services.runs.queue_position import Queue
from tests.helpers.desk import WORKFLOWS

ANN, BEN, ROOT = Actor(id="ann"), Actor(id="ben"), Actor(id="root", admin=True)
SCHEMA = r"""
properties:
  reads: {type: array, items: {type: string, format: file-path, pattern: '\.fastq$'}, minItems: 1}
  genome: {type: string, format: file-path, default: resources/genome.fa}
  depth: {type: integer, default: 3, minimum: 1}
  panels:
    type: array
    items:
      type: object
      properties: {name: {type: string}, bed: {type: string, format: file-path, pattern: '\.bed$'}}
required: [reads]
"""
MANIFEST = "title: Demo\nversion: 1.2.3\nexample: {params: {reads: [example/a.fastq]}}\n"


@pytest.fixture
def services(settings, database, tmp_path):
    folder = tmp_path / "more" / "demo"
    for path, text in {
        "workflow/Snakefile": "rule all:\n    shell: 'true'\n",
        "workflow/schemas/config.schema.yaml": SCHEMA,
        "rundesk.yaml": MANIFEST,
        "example/a.fastq": "@r\nA\n+\nI\n",
    }.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (tmp_path / "more" / "bare" / "workflow").mkdir(parents=True)
    built = build(type(settings)(**{**vars(settings), "workflows": (tmp_path / "more",)}))
    yield built
    built.close()


def put(services, actor, name="a.fastq", content=b"@r\nA\n+\nI\n"):
    return services.files.register(actor, name, io.BytesIO(content))


def submit(services, actor=ANN, key=None, workflow="demo", **request):
    wanted = RunRequest(workflow=workflow, **request)
    return services.runs.submit(actor, wanted, idempotency_key=key)


def refused(services, actor=ANN, **request):
    with pytest.raises(Invalid) as caught:
        submit(services, actor, **request)
    assert services.runs.list(ROOT, RunFilter()).items == []
    return {problem.field: problem for problem in caught.value.problems}


def test_submit_freezes_version_parameters_and_inputs(services):
    file = put(services, ANN, "my reads; rm -rf $HOME.fastq")
    run = submit(services, params={"reads": [file.id]}, name="N", tags=["t", "t", " u "])
    assert (run.state, run.owner, run.name, run.tags) == (State.QUEUED, "ann", "N", ["t", "u"])
    assert run.params == {"reads": [file.id], "genome": "resources/genome.fa", "depth": 3}
    assert (run.workflow_version, len(run.digest)) == ("1.2.3", 64)
    (given,) = run.inputs
    assert (given.field, given.file, given.sha256) == ("reads.0", file.id, file.sha256)
    assert given.path == "inputs/reads/my_reads_rm_-rf_HOME.fastq"
    assert (snapshot_folder(services.settings.data, run.digest) / "workflow/Snakefile").is_file()


def test_submit_same_names_are_staged_apart(services):
    files = [put(services, ANN, "a.fastq", b"1"), put(services, ANN, "a.fastq", b"2")]
    run = submit(services, params={"reads": [file.id for file in files]})
    paths = [given.path for given in run.inputs]
    assert paths == ["inputs/reads/a.fastq", "inputs/reads/a-2.fastq"]


def test_submit_files_within_objects_are_inputs_like_any_other(services):
    reads, bed = put(services, ANN), put(services, ANN, "exons.bed", b"17\t1\t9\n")
    panels = [{"name": "none"}, {"name": "exons", "bed": bed.id}]
    run = submit(services, params={"reads": [reads.id], "panels": panels})
    assert [entry.field for entry in run.inputs] == ["reads.0", "panels.1.bed"]
    assert run.params["panels"] == panels
    content = values(run, WORKFLOWS, Configuration())
    assert content["panels"][1] == {"name": "exons", "bed": "inputs/panels/bed/exons.bed"}
    assert content["reads"] == ["inputs/reads/a.fastq"]


def test_submit_file_of_another_user_within_an_object_is_refused(services):
    reads, other = put(services, ANN), put(services, BEN, "exons.bed")
    found = refused(services, params={"reads": [reads.id], "panels": [{"bed": other.id}]})
    problem = found["params.panels.0.bed"]
    assert (problem.code, problem.message) == ("not_found", "File not found.")


def test_submit_example_registers_its_files_for_the_actor(services):
    run = submit(services, example=True)
    assert services.files.get(ANN, run.params["reads"][0]).name == "a.fastq"
    assert run.name == "Demo, example"
    assert submit(services, example=True).params == run.params


def test_submit_same_key_gives_the_same_run(services):
    first = submit(services, example=True, key="k")
    assert submit(services, example=True, key="k").id == first.id
    assert submit(services, BEN, example=True, key="k").id != first.id


def test_submit_same_key_with_another_body_is_a_conflict(services):
    submit(services, example=True, key="k")
    with pytest.raises(Conflict):
        submit(services, example=True, name="other", key="k")


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 201])
def test_submit_invalid_key_is_refused(services, key):
    assert set(refused(services, example=True, key=key)) == {"header.Idempotency-Key"}


def test_submit_unknown_workflow_names_a_near_one(services):
    found = refused(services, workflow="dema", example=True)
    assert found["workflow"].hint == "Did you mean demo?"


def test_submit_broken_workflow_says_why(services):
    found = refused(services, workflow="bare", params={})
    assert "The workflow has neither workflow/Snakefile" in found["workflow"].hint


def test_submit_every_problem_is_listed_and_nothing_is_stored(services):
    found = refused(services, params={"depth": 0, "dept": 1})
    assert set(found) == {"params.reads", "params.depth", "params.dept"}


def test_submit_neither_or_both_of_params_and_example_is_refused(services):
    assert set(refused(services)) == {"params"}
    assert set(refused(services, example=True, params={})) == {"params"}


@pytest.mark.parametrize("value", ["0" * 24, "x", "../../secret", ""])
def test_submit_unknown_file_is_refused(services, value):
    found = refused(services, params={"reads": [value]})
    assert found["params.reads.0"].message == "File not found."


def test_submit_file_of_another_user_is_refused(services):
    found = refused(services, BEN, params={"reads": [put(services, ANN).id]})
    assert found["params.reads.0"].message == "File not found."


def test_submit_file_with_a_wrong_name_is_refused(services):
    found = refused(services, params={"reads": [put(services, ANN, "a.fasta").id]})
    problem = found["params.reads.0"]
    assert problem.code == "wrong_kind_of_file"
    assert problem.message == ("a.fasta is not an accepted file: its name must end in .fastq.")


def test_runs_of_another_user_are_not_found(services):
    run = submit(services, example=True)
    calls = services.runs
    for call in (
        calls.get,
        calls.jobs,
        calls.graph,
        calls.cancel,
        calls.log,
        services.results.list,
    ):
        with pytest.raises(NotFound):
            call(BEN, run.id)
    assert calls.list(BEN, RunFilter()).items == []
    assert calls.get(ROOT, run.id) == run


def test_cancel_of_a_waiting_run_is_at_once(services):
    run = services.runs.cancel(ANN, submit(services, example=True).id)
    assert run.state is State.CANCELED
    assert run.error == "Canceled on request."
    with pytest.raises(Conflict):
        services.runs.cancel(ANN, run.id)


def test_cancel_of_a_live_run_asks_it_to_stop(services):
    run = submit(services, example=True)
    services.database.queue.claim(host="h", now=datetime.now(UTC), lease=timedelta(seconds=30))
    assert services.runs.cancel(ANN, run.id).state is State.CANCELING
    assert services.runs.cancel(ANN, run.id).state is State.CANCELING


class Meanwhile:
    """A store in which events happen between reading a run and changing it."""

    def __init__(self, store, *events):
        self._store, self._events = store, list(events)

    def __getattr__(self, name):
        return getattr(self._store, name)

    def move(self, *args, **named):
        if self._events:
            self._events.pop(0)()
        return self._store.move(*args, **named)


def test_cancel_run_that_changes_its_state_meanwhile_succeeds(services):
    run, now = submit(services, example=True), datetime.now(UTC)
    store, queue = services.database.runs, services.database.queue

    def start() -> None:
        queue.claim(host="h", now=now, lease=timedelta(seconds=30))

    def put_back() -> None:
        store.end(run.id, 1, State.QUEUED, now=now)

    services.runs._store = Meanwhile(store, start, put_back, lambda: None)
    assert services.runs.cancel(ANN, run.id).state is State.CANCELED


def test_get_a_waiting_run_knows_its_place(services):
    ids = [submit(services, example=True).id for _ in range(3)]
    places = [services.runs.get(ANN, run_id).queue.position for run_id in ids]
    assert places == [1, 2, 3]
    listed = services.runs.list(ANN, RunFilter()).items
    assert [run.queue.position for run in listed] == [3, 2, 1]
    services.runs.cancel(ANN, ids[0])
    assert services.runs.get(ANN, ids[0]).queue is None
    assert services.runs.get(ANN, ids[1]).queue.position == 1


def test_get_waiting_time_is_judged_by_completed_runs(services, settings):
    ids = [submit(services, example=True).id for _ in range(4)]
    store = services.database.runs
    start = datetime.now(UTC)
    services.database.queue.claim(host="h", now=start, lease=timedelta(seconds=30))
    store.start(ids[0], 1, now=start)
    end = start + timedelta(seconds=60)
    store.end(ids[0], 1, State.COMPLETE, now=end)
    slots = min(settings.max_runs, settings.shared_cores // settings.cores_per_run)
    waits = [services.runs.get(ANN, run_id).queue.seconds for run_id in ids[1:]]
    assert waits == [60.0 * (place // slots) for place in range(3)]


def placed(services, run, **limits):
    """The position of a queued run with other limits."""
    (found,) = Queue(replace(services.settings, **limits), services.database).with_positions([run])
    return found.queue


def test_queue_waiting_run_has_the_reason(services):
    first, waiting = (submit(services, example=True) for _ in range(2))
    assert placed(services, waiting).reason == ""
    full = placed(services, waiting, disk_floor=2**40)
    assert full.reason == "Low disk space: no run starts until space is freed."
    assert full.seconds is None
    claimed = services.database.queue.claim(host="h", now=first.created, lease=timedelta(seconds=9))
    assert claimed.run.id == first.id
    cores = "1 core" if first.cores == 1 else f"{first.cores} cores"
    for reason, limits in {
        "Owner limit reached (1 running run).": {"max_runs_per_owner": 1},
        "Run limit reached (1 running run).": {"max_runs": 1},
        f"Waiting for {cores} ({first.cores} of {first.cores} are in use).": {
            "max_runs": 9,
            "cores": first.cores,
        },
    }.items():
        assert placed(services, waiting, **limits).reason == reason


def test_waiting_time_minds_the_limit_of_the_owner(services):
    runs = [submit(services, example=True) for _ in range(3)]
    other = submit(services, BEN, example=True)
    store, start = services.database, datetime.now(UTC)
    store.queue.claim(host="h", now=start, lease=timedelta(seconds=30))
    store.runs.start(runs[0].id, 1, now=start)
    end = start + timedelta(seconds=60)
    store.runs.end(runs[0].id, 1, State.COMPLETE, now=end)
    limits = {"max_runs": 4, "cores": 8, "run_cores": 1, "max_runs_per_owner": 1}
    waits = [placed(services, run, **limits).seconds for run in [*runs[1:], other]]
    assert waits == [0.0, 60.0, 0.0]


def test_submit_priority_above_0_is_for_administrators(services):
    with pytest.raises(Forbidden) as caught:
        submit(services, example=True, priority=1)
    assert caught.value.field == "priority"
    assert submit(services, example=True, priority=-3).priority == -3
    first = submit(services, ROOT, example=True, priority=10)
    assert services.runs.get(ROOT, first.id).queue.position == 1


@pytest.mark.parametrize("fields", [{"priority": 11}, {"retries": 6}, {"retries": -1}])
def test_request_beyond_the_limits_is_refused(fields):
    with pytest.raises(ValidationError):
        RunRequest(workflow="demo", **fields)


def test_graph_before_the_start_is_empty(services):
    graph = services.runs.graph(ANN, submit(services, example=True).id)
    assert (graph.steps, graph.links) == ([], [])


def test_log_before_the_start_is_not_found(services):
    with pytest.raises(NotFound, match="no log yet"):
        services.runs.log(ANN, submit(services, example=True).id)


def test_job_log_outside_the_run_is_not_found(services, settings):
    run = submit(services, example=True)
    store = services.database
    store.queue.claim(host="h", now=datetime.now(UTC), lease=timedelta(seconds=30))
    record = {"type": "started", "job": 1, "rule": "r", "log": ["../../secret"], "at": 0.0}
    store.jobs.apply(run.id, 1, [record])
    assert (settings.data / "secret").is_file()
    with pytest.raises(NotFound, match="no log file"):
        services.runs.job_log(ANN, run.id, "1-1")


def test_results_before_the_end_are_none(services):
    assert services.results.list(ANN, submit(services, example=True).id) == []


def test_tail_starts_at_a_line(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"first line\nsecond\xff\nthird\n")
    assert tail(path, 1000).splitlines()[0] == "first line"
    assert tail(path, 12) == "third\n"


def test_resume_queues_the_same_run_again(services):
    run = services.runs.cancel(ANN, submit(services, example=True).id)
    again = services.runs.resume(ANN, run.id)
    assert (again.id, again.state, again.error) == (run.id, State.QUEUED, None)
    with pytest.raises(Conflict, match="this run is QUEUED"):
        services.runs.resume(ANN, run.id)


def test_delete_takes_record_jobs_and_folder(services, settings):
    run = submit(services, example=True)
    with pytest.raises(Conflict, match="The run is QUEUED"):
        services.runs.delete(ANN, run.id)
    services.runs.cancel(ANN, run.id)
    home = settings.data / "runs" / run.id
    (home / "results").mkdir(parents=True)
    services.runs.delete(ANN, run.id)
    assert not home.exists()
    with pytest.raises(NotFound):
        services.runs.get(ANN, run.id)
    services.files.delete(ANN, run.inputs[0].file)


@pytest.fixture
def unremovable(services, settings):
    """A canceled run and its folder, which cannot be renamed; skipped where none can be made."""
    run = submit(services, example=True)
    services.runs.cancel(ANN, run.id)
    home = settings.data / "runs" / run.id
    home.mkdir(parents=True)
    if not shutil.which("chattr") or subprocess.call(["chattr", "+i", home]):
        pytest.skip("the file system has no immutable files, or only root may make them")
    yield run, home
    subprocess.call(["chattr", "-i", home], stderr=subprocess.DEVNULL)


def test_delete_of_a_run_whose_files_remain_is_refused_and_can_be_repeated(services, unremovable):
    run, home = unremovable
    with pytest.raises(Conflict, match="cannot be removed: Operation not permitted"):
        services.runs.delete(ANN, run.id)
    assert services.runs.get(ANN, run.id).state is State.CANCELED
    subprocess.check_call(["chattr", "-i", home])
    services.runs.delete(ANN, run.id)
    assert not home.exists()


def test_rest_of_a_deleted_run_is_removed_later(services, settings, unremovable, caplog):
    run, home = unremovable
    subprocess.check_call(["chattr", "-i", home])
    (home / "results").mkdir()
    subprocess.check_call(["chattr", "+i", home / "results"])
    services.runs.delete(ANN, run.id)
    (left,) = (settings.data / "runs").glob(".deleted-*")
    assert services.runs.sweep(datetime.now(UTC)) == 1
    assert "is not completely removed" in caplog.text
    subprocess.check_call(["chattr", "-i", left / "results"])
    services.runs.sweep(datetime.now(UTC))
    assert not left.exists()


@pytest.mark.parametrize(
    ("run_id", "hint"),
    [("0" * 24, ""), ("none", "A run id has 24 hexadecimal characters.")],
)
def test_get_unknown_run_has_a_hint_only_for_a_malformed_id(services, run_id, hint):
    with pytest.raises(NotFound) as caught:
        services.runs.get(ANN, run_id)
    assert (caught.value.text.code, caught.value.message) == ("not_found", "Run not found.")
    assert caught.value.hint == hint


@pytest.mark.parametrize(("job_id", "hint"), [("1-7", False), ("x", True)])
def test_job_unknown_has_a_hint_only_for_a_malformed_id(services, job_id, hint):
    run = submit(services, example=True)
    with pytest.raises(NotFound) as caught:
        services.runs.job(ANN, run.id, job_id)
    assert caught.value.message == "Job not found."
    assert bool(caught.value.hint) == hint
