"""`rundesk up` and `rundesk serve`: the processes of a desk."""

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
from services.host.launcher import program
from services.host.ports import check_free
from services.host.tether import tethered
from services.settings import HERE, Settings

API_WORKERS, API_THREADS = 2, 12
GRACE = 30  # s for requests at work when the API ends or is loaded anew
LONGEST_LINE = 8190  # bytes of an address; a list of 200 runs fits
LOOK_SECONDS = 0.2  # between two looks whether the desk answers


@main.command()
@click.argument("what", type=click.Choice(["api", "portal"]))
def serve(what: str) -> None:
    """Become one of the two servers; the Procfile calls this."""
    settings = Settings.load()
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
        f"--log-level={settings.log_level.lower()}",
        f"--graceful-timeout={GRACE}",
        f"--limit-request-line={LONGEST_LINE}",
        "--no-control-socket",
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
        "--logger.hideWelcomeMessage=true",  # `rundesk up` prints the address
    ]


@main.command()
def up() -> None:
    """Start the whole desk, say where it is, and stop it all on Ctrl-C."""
    settings = Settings.load()
    check_free(settings.host, settings.api_port, "RUNDESK_API_PORT")
    check_free(settings.host, settings.portal_port, "RUNDESK_PORTAL_PORT")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    procfile, no_file = str(HERE / "Procfile"), os.devnull  # .env was read already
    honcho = [sys.executable, "-m", "honcho", "-f", procfile, "-e", no_file, "start"]
    desk = subprocess.Popen(
        tethered(*honcho),
        env={**os.environ, "PATH": path},
        start_new_session=True,  # one signal, from us, instead of one more from the terminal
    )
    asked = threading.Event()

    def stop(*_: object) -> None:
        asked.set()
        desk.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    threading.Thread(target=announce, args=(settings,), daemon=True).start()
    code = desk.wait()
    sys.exit(0 if asked.is_set() else code or 1)


def announce(settings: Settings) -> None:
    """Say where the desk is, once it answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    base = urlsplit(settings.public_portal_url).path.rstrip("/")
    for address in (
        f"http://{host}:{settings.api_port}/healthz",
        f"http://{host}:{settings.portal_port}{base}/_stcore/health",
    ):
        while not answers(address):
            time.sleep(LOOK_SECONDS)
    lines = [
        "Rundesk is ready.",
        f"  Portal  {settings.public_portal_url}",
        f"  API     {settings.public_api_url}/apidocs/",
        f"  Data    {settings.data}",
        "  Stop with Ctrl-C; runs that are under way go on after the next start.",
    ]
    click.secho("\n" + "\n".join(lines) + "\n", bold=True)


def answers(address: str) -> bool:
    """Whether something there says it is well; proxies of the environment are not asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
