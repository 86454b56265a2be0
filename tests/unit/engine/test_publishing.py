"""Which results are published, in which order, and which never are."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc

import pytest

from services.engine import publishing
from services.engine.publishing import Limits, PublishingStopped
from services.models import Highlight, Publishing
from services.rundir import RunDir

LIMITS = Limits(max_bytes=2**40)


def publish(rundir, outputs, highlights, limits=LIMITS, **more):
    return publishing.publish(rundir, outputs, highlights, limits=limits, **more)


def create_run(root, **files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return RunDir(root)


def manifest(rundir):
    return json.loads(rundir.manifest.read_text())


def test_publish_lists_results_with_checksum_highlights_first(tmp_path):
    rundir = create_run(tmp_path, **{"results/a.tsv": "1", "results/z.html": "<p>", "work/x": "2"})
    publish(rundir, ["work/x"], [Highlight(path="results/*.html", title="Report")])
    first, second = manifest(rundir)
    assert (first["path"], first["title"], first["kind"]) == ("results/z.html", "Report", "report")
    assert second == {
        "path": "results/a.tsv",
        "size": 1,
        "sha256": hashlib.sha256(b"1").hexdigest(),
        "kind": "table",
        "title": "",
    }


def test_publish_without_results_folder_lists_the_outputs_that_exist(tmp_path):
    rundir = create_run(tmp_path, **{"out/a.txt": "1", "dir/b/c.txt": "2"})
    publish(rundir, ["out/a.txt", "out/gone.txt", "dir", "out/a.txt"], [])
    assert [entry["path"] for entry in manifest(rundir)] == ["dir/b/c.txt", "out/a.txt"]


def test_publish_never_lists_what_lies_outside_the_run(tmp_path):
    (tmp_path / "secret").write_text("s")
    rundir = create_run(tmp_path / "run", **{"results/a.txt": "1"})
    (rundir.results / "link").symlink_to(tmp_path / "secret")
    (rundir.results / "up").symlink_to(tmp_path)
    publish(rundir, [], [])
    assert [entry["path"] for entry in manifest(rundir)] == ["results/a.txt"]


def test_publish_outputs_that_point_outside_are_left_out(tmp_path):
    (tmp_path / "secret").write_text("s")
    rundir = create_run(tmp_path / "run")
    rundir.root.mkdir()
    publish(rundir, ["../secret", str(tmp_path / "secret"), "."], [])
    assert manifest(rundir) == []


def test_publish_leaves_out_the_timestamps_of_directory_outputs(tmp_path):
    names = ("results/dir/x.txt", "results/dir/.snakemake_timestamp", "results/.hidden")
    rundir = create_run(tmp_path, **dict.fromkeys(names, "1"))
    publish(rundir, ["results/dir"], [])
    assert [entry["path"] for entry in manifest(rundir)] == ["results/.hidden", "results/dir/x.txt"]


def test_publish_of_directory_outputs_elsewhere_leaves_out_their_timestamps(tmp_path):
    names = ("out/x.txt", "out/.snakemake_timestamp", "out/in/.snakemake_timestamp")
    rundir = create_run(tmp_path, **dict.fromkeys(names, "1"))
    publish(rundir, ["out"], [])
    assert [entry["path"] for entry in manifest(rundir)] == ["out/x.txt"]


def paths(rundir):
    return [entry["path"] for entry in manifest(rundir)]


def test_files_that_cannot_be_published_are_left_out_with_the_reason(tmp_path):
    rundir = create_run(
        tmp_path / "runs" / "run", **{"results/good.txt": "1", "results/b/c.txt": "2"}
    )
    (rundir.results / "loop").symlink_to("loop")
    (rundir.results / "gone").symlink_to("nowhere")
    (rundir.results / "out").symlink_to("/etc/passwd")
    (rundir.results / "up").symlink_to("..")
    (rundir.results / "inside").symlink_to("good.txt")
    os.mkfifo(rundir.results / "pipe")
    note = publish(rundir, [], [])
    assert paths(rundir) == ["results/b/c.txt", "results/good.txt", "results/inside"]
    for sentence in (
        "The file results/loop is not among the results because it is a link in a loop.",
        "The file results/gone is not among the results because it is a link that leads to no",
        "The file results/out is not among the results because it is a link out of the run.",
        "The file results/pipe is not among the results because it is not a regular file.",
    ):
        assert sentence in note


def test_outputs_that_cannot_be_published_are_left_out(tmp_path):
    rundir = create_run(tmp_path / "runs" / "run", **{"out/a.txt": "1"})
    (rundir.root / "loop").symlink_to("loop")
    assert "a link in a loop" in publish(rundir, ["loop", "out/a.txt"], [])
    assert paths(rundir) == ["out/a.txt"]


def test_sparse_giant_is_left_out_and_never_read(tmp_path):
    rundir = create_run(tmp_path / "runs" / "run", **{"results/a.txt": "1", "results/z.txt": "2"})
    with (rundir.results / "giant").open("wb") as file:
        file.truncate(7 * 2**40)
    note = publish(rundir, [], [])
    assert paths(rundir) == ["results/a.txt", "results/z.txt"]
    assert note == (
        "The file results/giant is not among the results because all results would exceed"
        " RUNDESK_MAX_OUTPUT."
    )


def test_highlights_are_published_before_a_limit_is_reached(tmp_path):
    rundir = create_run(tmp_path / "runs" / "run", **{"results/a": "123456", "results/z": "123456"})
    publish(rundir, [], [Highlight(path="results/z")], Limits(max_bytes=10))
    assert paths(rundir) == ["results/z"]


def test_publishing_stops_within_a_file(tmp_path):
    rundir = create_run(tmp_path / "runs" / "run")
    rundir.results.mkdir(parents=True)
    with (rundir.results / "large").open("wb") as file:
        file.truncate(2**36)  # minutes to read
    progress = Publishing()
    limits = Limits(2**40, is_stopped=lambda: progress.bytes > 10 * 2**20)
    with pytest.raises(PublishingStopped):
        publish(rundir, [], [], limits, progress=progress)
    assert progress.total_bytes == 2**36
    assert not rundir.manifest.exists()


def test_rest_is_left_out_when_the_time_is_up(tmp_path):
    rundir = create_run(tmp_path / "runs" / "run", **{f"results/{name}": "1" for name in "abc"})
    late = iter([False, True, True])
    note = publish(rundir, [], [], Limits(2**40, is_late=lambda: next(late)))
    assert paths(rundir) == ["results/a"]
    assert note.startswith("2 files are not among the results because listing the results took")


def test_memory_of_many_results_is_that_of_their_paths(tmp_path):
    rundir = create_run(tmp_path / "runs" / "run")
    rundir.results.mkdir(parents=True)
    for number in range(5000):
        (rundir.results / f"{number:05}.txt").touch()
    tracemalloc.start()
    publish(rundir, [], [])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(manifest(rundir)) == 5000
    assert peak / 5000 < 1000  # bytes for each file
