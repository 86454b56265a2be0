"""All settings: one table with name, default, unit and help. They come from the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from services.errors import Misconfigured

HERE = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
HOST_ENTRY = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?")
ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
#: A direct connection outlives the moment before the replica set is initiated; a discovering one
#: drops a member that does not name its set yet.
EMBEDDED = "directConnection=true&replicaSet=rundesk"


def setting(
    name: str, default: Any, help: str, unit: str = "", *, least: float | None = None
) -> Any:
    """A row of the table; `least`: the smallest number that it may be."""
    row = {"name": name, "help": help, "unit": unit, "least": least}
    return field(default=default, metadata=row)


@dataclass(frozen=True)
class Settings:
    """The settings of one desk; `load` reads them from the environment."""

    data: Path = setting("RUNDESK_DATA", Path("data"), "Folder of the database, files and runs")
    host: str = setting("RUNDESK_HOST", "127.0.0.1", "Address that portal and API listen on")
    api_port: int = setting("RUNDESK_API_PORT", 8000, "Port of the API")
    portal_port: int = setting("RUNDESK_PORTAL_PORT", 8501, "Port of the portal")
    api_url: str = setting(
        "RUNDESK_API_URL", "", "Address of the API as browsers see it; empty: host and port"
    )
    portal_url: str = setting(
        "RUNDESK_PORTAL_URL", "", "Address of the portal as browsers see it; empty: host and port"
    )
    mongodb_uri: str = setting(
        "MONGODB_URI", "", "A MongoDB replica set to use instead of the embedded one"
    )
    database: str = setting("RUNDESK_DATABASE", "rundesk", "Name of the database")
    db_port: int = setting("RUNDESK_DB_PORT", 27117, "Port of the embedded MongoDB")
    mongod: str = setting("MONGOD", "", "A mongod binary to use instead of the bundled one")
    workflows: tuple[Path, ...] = setting(
        "RUNDESK_WORKFLOWS", (), "Further folders of workflows, separated by ':'"
    )
    software: tuple[str, ...] = setting(
        "RUNDESK_SOFTWARE",
        (),
        "What Snakemake may install software with, for workflows that declare it, by comma:"
        " conda, apptainer",
    )
    cores: int = setting(
        "RUNDESK_CORES", 0, "Cores that all runs share; 0: all of the host", least=0
    )
    run_cores: int = setting(
        "RUNDESK_RUN_CORES",
        0,
        "Cores one run gets; 0: an equal share of RUNDESK_MAX_RUNS, at least 2",
        least=0,
    )
    max_runs: int = setting("RUNDESK_MAX_RUNS", 4, "Runs at once", least=1)
    max_runs_per_owner: int = setting(
        "RUNDESK_MAX_RUNS_PER_OWNER",
        0,
        "Runs at once of one owner; 0: as many as there may be",
        least=0,
    )
    walltime: float = setting(
        "RUNDESK_WALLTIME", 0.0, "Longest time of an attempt; 0: no limit", "min", least=0
    )
    max_console: int = setting(
        "RUNDESK_MAX_CONSOLE",
        64,
        "Longest log of a run; of more only the end is kept",
        "MiB",
        least=1,
    )
    disk_floor: int = setting(
        "RUNDESK_DISK_FLOOR", 512, "Free disk below which no run starts", "MiB", least=0
    )
    max_upload: int = setting("RUNDESK_MAX_UPLOAD", 51200, "Largest file taken", "MiB", least=1)
    max_body: int = setting("RUNDESK_MAX_BODY", 1, "Largest JSON body taken", "MiB", least=1)
    import_hosts: tuple[str, ...] = setting(
        "RUNDESK_IMPORT_HOSTS",
        (),
        "Hosts that files are fetched from, by comma: host, *.below.it, host:port; empty: none",
    )
    inbox: str = setting(
        "RUNDESK_INBOX",
        "",
        "Folder of this server whose files may be registered where they lie; empty: none",
    )
    attempts: int = setting(
        "RUNDESK_ATTEMPTS",
        3,
        "Failures of the desk or its host after which a run is given up",
        least=1,
    )
    cancel_grace: float = setting(
        "RUNDESK_CANCEL_GRACE", 5.0, "Time for a canceled run to end by itself", "s"
    )
    log_level: str = setting("RUNDESK_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR")
    remote_user_header: str = setting(
        "RUNDESK_REMOTE_USER_HEADER",
        "",
        "Header in which a signing-in reverse proxy names the user; set: sign-in is on",
    )
    remote_user_secret: str = setting(
        "RUNDESK_REMOTE_USER_SECRET",
        "",
        "Secret that the same proxy sends as X-Rundesk-Secret (16 characters or more)",
    )
    sign_in_by: str = setting(
        "RUNDESK_SIGN_IN",
        "",
        "tokens: portal and API ask for a token whom no proxy signed in; set: sign-in is on",
    )
    admins: tuple[str, ...] = setting("RUNDESK_ADMINS", (), "Users with all rights, by comma")
    cors_origins: tuple[str, ...] = setting(
        "RUNDESK_CORS_ORIGINS",
        (),
        "Origins whose pages may use the API, by comma: https://app.example.org",
    )
    rate_sign_in: int = setting(
        "RUNDESK_RATE_SIGN_IN",
        30,
        "Wrong tokens that one address may send; 0: no limit",
        "/min",
        least=0,
    )
    rate_submit: int = setting(
        "RUNDESK_RATE_SUBMIT",
        600,
        "Runs that one user may submit by the API; 0: no limit",
        "/min",
        least=0,
    )
    rate_uploads: int = setting(
        "RUNDESK_RATE_UPLOADS",
        6000,
        "Uploads that one user may begin; 0: no limit",
        "/min",
        least=0,
    )
    stream_time: float = setting(
        "RUNDESK_STREAM_TIME",
        600.0,
        "Longest time of one stream of events, or followed log",
        "s",
        least=0,
    )

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read and check the settings.

        Raises Misconfigured with one sentence that names the variable.
        """
        given: dict[str, Any] = {}
        for item in fields(cls):
            name = item.metadata["name"]
            if text := environ.get(name, "").strip():
                given[item.name] = _read(name, text, item.default)
        loaded = cls(**{**given, "data": Path(given.get("data", cls.data)).expanduser().resolve()})
        loaded.check()
        return loaded

    def check(self) -> None:
        """Refuse what must not start. Raises Misconfigured."""
        for item in fields(self):
            name, least = item.metadata["name"], item.metadata["least"]
            if least is not None and (value := getattr(self, item.name)) < least:
                raise Misconfigured(f"{name} must be {least} or more, not {value}.")
        self._check_lists()
        self._check_access()
        if (folder := self.inbox_folder) and (
            folder.is_relative_to(self.data) or self.data.is_relative_to(folder)
        ):
            raise Misconfigured("RUNDESK_INBOX and RUNDESK_DATA must not lie in one another.")

    def _check_lists(self) -> None:
        for origin in self.cors_origins:
            if not ORIGIN.fullmatch(origin):
                raise Misconfigured(
                    f"RUNDESK_CORS_ORIGINS: {origin} is no origin such as https://app.example.org."
                )
        for method in self.software:
            if method not in ("conda", "apptainer"):
                raise Misconfigured(f"RUNDESK_SOFTWARE may name conda and apptainer, not {method}.")
        for entry in self.import_hosts:
            if not HOST_ENTRY.fullmatch(entry):
                raise Misconfigured(
                    f"RUNDESK_IMPORT_HOSTS: {entry} is no host such as ftp.example.org,"
                    " *.example.org or data.example.org:8443, in small letters."
                )

    def _check_access(self) -> None:
        if self.remote_user_header and len(self.remote_user_secret) < 16:
            raise Misconfigured(
                "RUNDESK_REMOTE_USER_HEADER needs RUNDESK_REMOTE_USER_SECRET"
                " with 16 characters or more, which the proxy sends as X-Rundesk-Secret."
            )
        if self.sign_in_by not in ("", "tokens"):
            raise Misconfigured(f"RUNDESK_SIGN_IN must be tokens or empty, not {self.sign_in_by}.")
        if not self.sign_in and not is_loopback(self.host):
            raise Misconfigured(
                f"RUNDESK_HOST={self.host} is not a loopback address and no sign-in is configured:"
                " set RUNDESK_HOST=127.0.0.1, or configure sign-in with RUNDESK_REMOTE_USER_HEADER"
                " and RUNDESK_REMOTE_USER_SECRET, or with RUNDESK_SIGN_IN=tokens."
            )

    @property
    def sign_in(self) -> bool:
        """Whether it must be known who asks; else everybody is the one local user."""
        return bool(self.remote_user_header or self.sign_in_by)

    @property
    def uri(self) -> str:
        """Where MongoDB is."""
        return self.mongodb_uri or f"mongodb://127.0.0.1:{self.db_port}/?{EMBEDDED}"

    @property
    def shared_cores(self) -> int:
        return self.cores or len(os.sched_getaffinity(0))

    @property
    def cores_per_run(self) -> int:
        share = max(2, self.shared_cores // self.max_runs)
        return min(self.run_cores or share, self.shared_cores)

    @property
    def workflow_folders(self) -> tuple[Path, ...]:
        """Bundled first, added ones last; a later folder does not hide a name of an earlier one."""
        return (HERE / "workflows", *self.workflows, self.catalogue)

    @property
    def cache(self) -> Path:
        """What rules marked for it made, kept for all runs by Snakemake."""
        return self.data / "cache"

    @property
    def catalogue(self) -> Path:
        """Workflows that were added to this desk."""
        return self.data / "catalogue"

    @property
    def inbox_folder(self) -> Path | None:
        return Path(self.inbox).expanduser().resolve() if self.inbox else None

    @property
    def public_api_url(self) -> str:
        return self.api_url.rstrip("/") or f"http://{_bracketed(self.host)}:{self.api_port}"

    @property
    def public_portal_url(self) -> str:
        return self.portal_url.rstrip("/") or f"http://{_bracketed(self.host)}:{self.portal_port}"


def table() -> list[dict[str, str]]:
    """The settings as rows of text: name, default, unit, help; for reference and commands."""
    return [
        {
            "name": item.metadata["name"],
            "default": _shown(item.default),
            "unit": item.metadata["unit"],
            "help": item.metadata["help"],
        }
        for item in fields(Settings)
    ]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than localhost does not count."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _read(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool | int):
            return int(text)
        if isinstance(default, float):
            return float(text)
    except ValueError:
        raise Misconfigured(f"{name} must be a number, not {text!r}.") from None
    if isinstance(default, Path):
        return Path(text)
    if isinstance(default, tuple):
        if name == "RUNDESK_WORKFLOWS":
            parts = [part.strip() for part in text.split(":") if part.strip()]
            return tuple(Path(part).expanduser().resolve() for part in parts)
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _shown(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
