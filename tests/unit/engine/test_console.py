"""The log of a run: all of it, or its head and its end; never in the way of who prints."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from services.engine import console
from services.engine.console import END, Console
from services.settings import MIB


def printed(path: Path, limit: int, script: str) -> tuple[str, int]:
    """What is in the file after `script` printed, and the exit code of that."""
    log = Console(path, limit)
    shell = subprocess.Popen(["bash", "-c", script], stdout=log, stderr=log)
    log.start()
    code = shell.wait(60)
    log.finish()
    return (path.read_text() if path.is_file() else ""), code


def test_everything_is_there_in_order_when_it_fits(tmp_path):
    text, code = printed(tmp_path / "log", MIB, "for n in {1..500}; do echo $n; echo >&2 $n; done")
    assert code == 0
    assert [int(line) for line in text.split()] == [n // 2 for n in range(2, 1002)]


def test_of_a_longer_log_head_and_end_are_there_and_the_cut_is_marked(tmp_path):
    text, code = printed(tmp_path / "log", 1000, "seq 100000; echo the last word")
    assert code == 0
    head, cut, rest = text.split("\n[Rundesk: ")
    assert head.startswith("1\n2\n3\n")
    assert len(head) == 1000
    assert cut.startswith("the log is cut here, at 1000 bytes")
    whole = "".join(f"{n}\n" for n in range(1, 100_001)) + "the last word\n"
    left_out = len(whole) - 1000 - END
    assert rest.startswith(f"{left_out} bytes are left out here]\n")
    assert rest.endswith("99999\n100000\nthe last word\n")
    assert len(text) < 1000 + END + 200


def test_while_it_is_flooded_the_file_does_not_grow(tmp_path):
    path = tmp_path / "log"
    _, code = printed(path, 100_000, "head -c 50000000 /dev/zero")
    assert code == 0
    assert path.stat().st_size < 100_000 + END + 200


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
def test_full_disk_does_not_disturb_who_prints():
    assert printed(Path("/dev/full"), MIB, "seq 100000 && echo well") == ("", 0)


def test_process_that_never_lets_go_does_not_hold_up_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "PATIENCE", 0.2)
    log = Console(tmp_path / "log", MIB)
    holder = subprocess.Popen(["bash", "-c", "echo begun; exec sleep 60"], stdout=log)
    log.start()
    begun = time.monotonic()
    while not (tmp_path / "log").read_text():
        assert time.monotonic() - begun < 10
    log.finish()
    assert time.monotonic() - begun < 10
    assert holder.poll() is None
    holder.kill()
    holder.wait()
