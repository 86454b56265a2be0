"""Real processes are identified and ended reliably."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace

import pytest

from services.host import processes
from services.host.processes import Identity, Process
from services.settings import HERE
from tests.helpers.waiting import until

ESCAPE = "setsid sh -c 'trap \"\" TERM; (setsid sleep 60 &); sleep 60' & setsid sleep 60 & wait"


@pytest.fixture
def child():
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def named(pid: int) -> Process:
    return next(process for process in processes.descendants(os.getpid()) if process.pid == pid)


def identity_of(pid: int) -> Identity:
    return Identity(processes.boot_id(), pid, named(pid).start)


def test_identity_is_alive_until_the_process_ends(child):
    identity = identity_of(child.pid)
    assert identity.alive
    child.kill()
    until(lambda: not identity.alive)  # a zombie, because it was not waited for
    assert os.path.exists(f"/proc/{child.pid}")  # noqa: PTH110


def test_identity_of_another_process_with_the_same_pid_is_not_alive(child):
    identity = identity_of(child.pid)
    assert not replace(identity, start=identity.start - 1).alive
    assert not replace(identity, boot="another").alive


def test_identity_survives_writing_and_reading():
    with tempfile.TemporaryFile() as file:
        assert Identity.read(file.fileno()) is None
        Identity.mine().write(file.fileno())
        assert Identity.read(file.fileno()) == Identity.mine()
        assert Identity.mine().alive


def test_send_does_not_signal_another_process_with_the_same_pid(child):
    known = named(child.pid)
    processes.send(replace(known, start=known.start - 1), signal.SIGKILL)
    assert child.poll() is None
    processes.send(known, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL


def test_end_kills_all_tagged_processes_in_any_session():
    tag = {**os.environ, processes.TAG: "run-of-this-test:2"}
    shell = subprocess.Popen(["bash", "-c", ESCAPE], env=tag, start_new_session=True)
    until(lambda: len(processes.tagged("run-of-this-test", 2)) >= 5)
    assert not processes.tagged("run-of-this-test", 1)
    assert not processes.tagged("run-of-this-test", 22)
    assert not processes.tagged("run-of-this")
    assert processes.end(lambda: processes.tagged("run-of-this-test"), patience=10)
    assert not processes.tagged("run-of-this-test", 2)
    assert shell.wait(10) == -signal.SIGKILL


def test_end_returns_false_after_its_timeout(child):
    other = Process(child.pid, 0)
    assert not processes.end(lambda: [other], patience=0.1)
    assert child.poll() is None


def test_holding_returns_the_processes_that_have_a_file_open(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    code = f"import time; file = open({str(path)!r}); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code])
    holders = until(lambda: processes.holding(path))
    assert [process.pid for process in holders] == [holder.pid]
    assert processes.end(lambda: processes.holding(path), patience=10)
    assert holder.wait(10) == -signal.SIGKILL


def test_descendants_include_grandchildren():
    shell = subprocess.Popen(["sh", "-c", "sleep 61 & wait"])
    below = until(lambda: processes.descendants(shell.pid))
    assert len(below) == 1
    assert {shell.pid, below[0].pid} <= {p.pid for p in processes.descendants(os.getpid())}
    processes.send(below[0], signal.SIGKILL)
    shell.wait(10)


def test_out_of_memory_kills_returns_the_counter_of_the_kernel():
    with open("/proc/vmstat") as file:  # noqa: PTH123
        counters = dict(line.split() for line in file)
    assert processes.out_of_memory_kills() == int(counters.get("oom_kill", 0))


def test_childless_is_true_only_when_every_child_was_reaped():
    script = (
        "import os; from services.host.processes import childless; "
        "assert childless(); read, write = os.pipe(); child = os.fork(); "
        "child or (os.read(read, 1), os._exit(0)); "
        "assert not childless(); os.write(write, b'x'); "
        "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT); "
        "assert not childless(); os.waitpid(child, 0); assert childless()"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=HERE)
