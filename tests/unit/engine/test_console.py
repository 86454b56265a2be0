"""The log of a run: complete, or its start and its end; printing is never blocked."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from services.engine import console
from services.engine.console import TAIL_BYTES, Console
from services.settings import MIB


def printed(path: Path, limit: int, script: str) -> tuple[str, int]:
    """Return the content of the file after `script` printed, and the script's exit code."""
    log = Console(path, limit)
    shell = subprocess.Popen(["bash", "-c", script], stdout=log, stderr=log)
    log.start()
    code = shell.wait(60)
    log.finish()
    return (path.read_text() if path.is_file() else ""), code


def test_output_within_the_limit_is_complete_and_in_order(tmp_path):
    text, code = printed(tmp_path / "log", MIB, "for n in {1..500}; do echo $n; echo >&2 $n; done")
    assert code == 0
    assert [int(line) for line in text.split()] == [n // 2 for n in range(2, 1002)]


def test_longer_log_has_its_start_and_end_and_a_marked_gap(tmp_path):
    text, code = printed(tmp_path / "log", 1000, "seq 100000; echo the last word")
    assert code == 0
    head, cut, rest = text.split("\n[Rundesk: ")
    assert head.startswith("1\n2\n3\n")
    assert len(head) == 1000
    assert cut.startswith("log truncated at 1000 bytes; its end follows after the run]")
    whole = "".join(f"{n}\n" for n in range(1, 100_001)) + "the last word\n"
    omitted = len(whole) - 1000 - TAIL_BYTES
    assert rest.startswith(f"{omitted} bytes omitted]\n")
    assert rest.endswith("99999\n100000\nthe last word\n")
    assert len(text) < 1000 + TAIL_BYTES + 200


def test_file_of_a_flooded_console_stays_small(tmp_path):
    path = tmp_path / "log"
    _, code = printed(path, 100_000, "head -c 50000000 /dev/zero")
    assert code == 0
    assert path.stat().st_size < 100_000 + TAIL_BYTES + 200


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
def test_full_disk_does_not_affect_the_printing_process():
    assert printed(Path("/dev/full"), MIB, "seq 100000 && echo well") == ("", 0)


def test_process_that_keeps_the_pipe_open_does_not_block_finish(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "DRAIN_TIMEOUT_S", 0.2)
    log = Console(tmp_path / "log", MIB)
    holder = subprocess.Popen(["bash", "-c", "echo start; exec sleep 60"], stdout=log)
    log.start()
    start = time.monotonic()
    while not (tmp_path / "log").read_text():
        assert time.monotonic() - start < 10
    log.finish()
    assert time.monotonic() - start < 10
    assert holder.poll() is None
    holder.kill()
    holder.wait()
