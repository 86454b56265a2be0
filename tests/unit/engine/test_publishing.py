"""Which results are published, in which order, and which never are."""

from __future__ import annotations

import hashlib
import json

from services.engine.publishing import publish
from services.models import Highlight
from services.rundir import RunDir


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
