"""`rundesk`: the operators' command."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
from honcho.environ import parse

from services import bootstrap, doctor
from services.access import local_actor
from services.errors import Invalid, RundeskError
from services.models import AddedWorkflow, Scope, TokenRequest
from services.ports import check_free
from services.settings import MIB, Settings, table
from services.tethered import tethered

HERE = Path(__file__).resolve().parent
API_WORKERS, API_THREADS = 2, 12
GRACE = 30  # s for requests at work when the API ends or is loaded anew
LONGEST_LINE = 8190  # bytes of an address; a list of 200 runs fits
SECRETS = frozenset({"MONGODB_URI", "RUNDESK_REMOTE_USER_SECRET"})
LOOK_SECONDS = 0.2  # between two looks whether the desk answers


class Group(click.Group):
    """Commands whose own errors are one sentence and exit code 1."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except RundeskError as error:
            raise click.ClickException(error.message) from error


@click.group(cls=Group)
@click.version_option(package_name="rundesk")
def main() -> None:
    """Run and look after a Rundesk. Settings come from the environment, then from `.env`."""
    file = HERE / ".env"
    for name, value in (parse(file.read_text()) if file.exists() else {}).items():
        os.environ.setdefault(name, value)


@main.command("settings")
@click.option("--markdown", is_flag=True, help="The table of the README instead.")
def show_settings(markdown: bool) -> None:
    """Show every setting with its value; secrets are hidden."""
    if markdown:
        click.echo(settings_in_markdown())
        return
    Settings.load()
    for row in table():
        given = os.environ.get(row["name"], "").strip()
        value = "(hidden)" if given and row["name"] in SECRETS else given or row["default"]
        source = "" if given else "  (default)"
        click.echo(f"{row['name']}={value}{source}\n    {row['help']} {row['unit']}".rstrip())


def settings_in_markdown() -> str:
    rows = [("Setting", "Default", "Unit", "What it is"), ("---",) * 4]
    for row in table():
        default = f"`{row['default']}`" if row["default"] else ""
        rows.append((f"`{row['name']}`", default, row["unit"], row["help"]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


@main.command("doctor")
def examine() -> None:
    """Look whether this host has what the desk needs."""
    services = bootstrap.build(Settings.load())
    findings = doctor.examine(services)
    services.close()
    for finding in findings:
        mark = click.style("ok  ", fg="green") if finding.good else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {finding.subject}: {finding.words}")
    if not all(finding.good for finding in findings):
        sys.exit(1)


@main.group()
def tokens() -> None:
    """Make, list and revoke the tokens with which people and programs sign in."""


@tokens.command("create")
@click.argument("name")
@click.option("--user", default="local", show_default=True, help="In whose name it counts.")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="read: look; submit: upload and run, too; admin: everything, of everybody.",
)
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True)
def create_token(name: str, user: str, scope: str, days: int) -> None:
    """Make a token; NAME says what it is for. Its secret is the only line on standard output."""
    try:
        request = TokenRequest(name=name, owner=user, scope=Scope(scope), days=days)
    except ValueError as error:
        raise click.BadParameter("1 to 100 characters for NAME, 1 to 200 for --user.") from error
    with opened() as services:
        made = services.tokens.create(local_actor(), request)
    click.echo(f"{made.id}: {user} may {scope} until {made.expires:%Y-%m-%d}", err=True)
    click.echo(how_to_use(services.settings), err=True)
    click.echo(made.secret)


def how_to_use(settings: Settings) -> str:
    """What to do with the secret of a token, for a person and for a program."""
    program = f"as `Authorization: Bearer …` to {settings.public_api_url}/api/v1/"
    if not settings.sign_in_by:
        return f"Send the next line {program}; it is shown only now."
    page = f"{settings.public_portal_url}/sign-in"
    return f"Sign in at {page} with the next line, or send it {program}; it is shown only now."


@tokens.command("list")
def list_tokens() -> None:
    """Show all tokens, newest first; their secrets are known to nobody."""
    with opened() as services:
        found = services.tokens.list(local_actor())
    for token in found:
        used = f"{token.used:%Y-%m-%d}" if token.used else "never"
        click.echo(
            f"{token.id}  {token.scope:6}  {token.owner}  {token.name!r}"
            f"  expires {token.expires:%Y-%m-%d}  used {used}"
        )


@tokens.command("revoke")
@click.argument("token")
def revoke_token(token: str) -> None:
    """Revoke the token with that id; it counts no more, a second later at the latest."""
    with opened() as services:
        services.tokens.revoke(local_actor(), token)
    click.echo(f"{token} is revoked.")


@main.group("workflows")
def workflows_group() -> None:
    """Add workflows to this desk, list them and remove them. Workflows are programs."""


@workflows_group.command("add")
@click.argument("source")
@click.option("--name", default="", help="What it is called here; else as its folder.")
@click.option("--replace", "replacing", is_flag=True, help="Take the place of an earlier one.")
def add_workflow(source: str, name: str, replacing: bool) -> None:
    """Check a workflow and add it. SOURCE is a folder, or https://host/repository@ref.

    It must lie in Snakemake's standard layout. It is planned once with its own configuration,
    which executes its Snakefile.
    """
    with opened() as services:
        try:
            added, remarks = services.additions.add(
                local_actor(), source, name=name, replacing=replacing
            )
        except Invalid as error:
            for problem in error.problems:
                click.echo(f"{problem.message} {problem.hint}".rstrip(), err=True)
            raise
    for words in remarks:
        click.echo(f"note: {words}")
    click.echo(f"{added.name} is added: {added.workflow.title}, {describe(added)}.")


@workflows_group.command("list")
def list_workflows() -> None:
    """Show every workflow of this desk, and where those that were added came from."""
    with opened() as services:
        added = {one.name: one for one in services.additions.list(local_actor())}
        for workflow in services.workflows.list(local_actor()):
            origin = added.get(workflow.name)
            where = f"from {origin.source} {describe(origin)}" if origin else ""
            click.echo(f"{workflow.name:24}  {workflow.title}  {where}".rstrip())
            for problem in workflow.problems:
                click.echo(f"    {problem}")


@workflows_group.command("remove")
@click.argument("name")
def remove_workflow(name: str) -> None:
    """Take a workflow that was added out of the catalogue; its runs and their results stay."""
    with opened() as services:
        services.additions.remove(local_actor(), name)
    click.echo(f"{name} is removed.")


def describe(added: AddedWorkflow) -> str:
    """Which version of it: what was asked for, and the commit or the digest."""
    return f"{added.ref} {added.commit[:12] or added.workflow.digest[:12]}".strip()


@main.group()
def databases() -> None:
    """List, publish and remove the databases that sequences are searched in by name."""


@databases.command("list")
def list_databases() -> None:
    """Show what is published, and what was built of it."""
    with opened() as services:
        found = services.databases.list(local_actor())
    for database in found:
        whose = "published" if database.published else "own file"
        size = f"{database.size / MIB:.1f} MiB"
        click.echo(f"{database.name:24}  {whose}  {database.created:%Y-%m-%d}  {size}")
        for index in database.indexes:
            click.echo(
                f"    {index.part}: {index.type}, {index.sequences:,} in all,"
                f" built {index.built:%Y-%m-%d}, {index.size / MIB:.1f} MiB"
            )


@databases.command("publish")
@click.argument("name")
@click.argument("file")
def publish_database(name: str, file: str) -> None:
    """Give FILE, a path or the id of a registered file, a NAME for everybody."""
    path = Path(file)
    with opened() as services:
        made = services.databases.publish(local_actor(), name, path if path.is_file() else file)
    click.echo(f"{made.name} is published: {made.file}, {made.size / MIB:.1f} MiB.")


@databases.command("remove")
@click.argument("name")
def remove_database(name: str) -> None:
    """Withdraw a database and what was built of it; searches in it are kept."""
    with opened() as services:
        freed = services.databases.remove(local_actor(), name)
    click.echo(f"{name} is removed; {freed / MIB:.1f} MiB are free again.")


@contextlib.contextmanager
def opened() -> Iterator[bootstrap.Services]:
    """The services, for one command, with a database that answers."""
    services = bootstrap.build(Settings.load())
    try:
        services.database.create_indexes()
        yield services
    finally:
        services.close()


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
    os.execv(sys.executable, [sys.executable, "-m", *command])


def api_command(settings: Settings) -> list[str]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return [
        "gunicorn",
        "api:create_app()",
        f"--pythonpath={HERE}",
        f"--bind={host}:{settings.api_port}",
        "--worker-class=routes.worker.Worker",  # threads: a sync one would end during a slow upload
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
        str(HERE / "portal.py"),  # its folder has .streamlit/config.toml
        f"--server.address={settings.host}",
        f"--server.port={settings.portal_port}",
        f"--server.baseUrlPath={public.path.strip('/')}",
        f"--browser.serverAddress={public.hostname}",  # its web socket refuses other origins
        "--logger.hideWelcomeMessage=true",  # `rundesk up` says where the desk is
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


if __name__ == "__main__":
    main()
