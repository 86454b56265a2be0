"""`rundesk up` and `rundesk serve`: the processes of Rundesk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import click

from commands.group import main
from services.engine.confinement import check_wall
from services.host.launcher import program
from services.host.ports import check_free
from services.host.tether import tethered
from services.settings import HERE, Settings, environment

API_WORKERS = 2
API_THREADS = 12  # requests that a worker works on at once
API_CONNECTIONS = 512  # of a worker; each can have a thread, which only waits for its client
SHUTDOWN_TIMEOUT_S = 30  # for requests in progress when the API ends or is reloaded
MAX_REQUEST_LINE_BYTES = 8190  # the ids of 200 runs fit
POLL_INTERVAL_S = 0.2  # between two health checks


@main.command()
@click.argument("what", type=click.Choice(["api", "portal"]))
def serve(what: str) -> None:
    """Replace this process by the API or the portal. The Procfile calls this."""
    settings = Settings.load()
    check_wall(settings)
    if what == "api":
        check_free(settings.host, settings.api_port, "RUNDESK_API_PORT")
        command = api_command(settings)
    else:
        check_free(settings.host, settings.portal_port, "RUNDESK_PORTAL_PORT")
        command = portal_command(settings)
    os.execv(sys.executable, program(*command))


def api_command(settings: Settings) -> list[str]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return [
        "gunicorn",
        "api:create_app()",
        f"--pythonpath={HERE}",
        f"--bind={host}:{settings.api_port}",
        # threads: a synchronous worker would be ended during a slow upload
        "--worker-class=routes.http.gunicorn_worker.Worker",
        f"--workers={API_WORKERS}",
        f"--threads={API_THREADS}",
        f"--worker-connections={API_CONNECTIONS}",
        f"--log-level={settings.log_level.lower()}",
        f"--graceful-timeout={SHUTDOWN_TIMEOUT_S}",
        f"--limit-request-line={MAX_REQUEST_LINE_BYTES}",
        "--no-control-socket",
        "--forwarder-headers=",  # any client can send SCRIPT_NAME; see routes/http/base_path.py
    ]


def portal_command(settings: Settings) -> list[str]:
    public = urlsplit(settings.public_portal_url)
    return [
        "streamlit",
        "run",
        str(HERE / "portal.py"),  # .streamlit/config.toml is next to it
        f"--server.address={settings.host}",
        f"--server.port={settings.portal_port}",
        f"--server.baseUrlPath={public.path.strip('/')}",
        f"--browser.serverAddress={public.hostname}",  # its WebSocket refuses other origins
        "--logger.hideWelcomeMessage=true",  # `rundesk up` prints the addresses
    ]


@main.command()
def up() -> None:
    """Start all processes, print the addresses, and stop everything on Ctrl-C."""
    settings = Settings.load()
    check_wall(settings)
    check_free(settings.host, settings.api_port, "RUNDESK_API_PORT")
    check_free(settings.host, settings.portal_port, "RUNDESK_PORTAL_PORT")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    procfile, no_file = str(HERE / "Procfile"), os.devnull  # `environment` reads .env
    honcho = [sys.executable, "-m", "honcho", "-f", procfile, "-e", no_file, "start"]
    processes = subprocess.Popen(
        tethered(*honcho),
        env=environment() | {"PATH": path},
        start_new_session=True,  # one signal, from us, instead of one more from the terminal
    )
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        processes.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    threading.Thread(target=announce, args=(settings,), daemon=True).start()
    code = processes.wait()
    sys.exit(0 if stopped.is_set() else code or 1)


def announce(settings: Settings) -> None:
    """Print the addresses once the API and the portal respond."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    base = urlsplit(settings.public_portal_url).path.rstrip("/")
    for address in (
        f"http://{host}:{settings.api_port}/healthz",
        f"http://{host}:{settings.portal_port}{base}/_stcore/health",
    ):
        while not responds(address):
            time.sleep(POLL_INTERVAL_S)
    lines = [
        "Rundesk is ready.",
        f"  Portal  {settings.public_portal_url}",
        f"  API     {settings.public_api_url}/apidocs/",
        f"  Data    {settings.data}",
        "  Press Ctrl-C to stop. Running runs continue after the next start.",
    ]
    click.secho("\n" + "\n".join(lines) + "\n", bold=True)


def responds(address: str) -> bool:
    """Whether a health check succeeds. Proxies of the environment are not used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
