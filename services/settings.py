"""All settings: one table with name, default, unit and help.

Values come from the environment, then from the file `.env` in the folder of this installation.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, ValidationError
from pydantic.dataclasses import dataclass

from services.errors import Message, Misconfigured, Text

HERE = Path(__file__).resolve().parent.parent
ENV_FILE = HERE / ".env"
MIB = 1024 * 1024
MIN_SECRET_LENGTH = 16
HOST_ENTRY = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(:[0-9]{1,5})?")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110
HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
#: Headers of a download that Rundesk sets itself, or that would change how a response is read.
RESERVED_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "range"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)
#: Networks of RFC 1918, RFC 6598, RFC 4193 and loopback. Link-local addresses are not among them:
#: at 169.254.169.254 clouds give out the credentials of the host.
PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "fc00::/7",
        "::1/128",
    )
)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
SOFTWARE_METHODS = ("conda", "apptainer")
#: A direct connection survives the moment before the replica set is initiated; a discovering one
#: drops a member that does not name its set yet.
EMBEDDED_OPTIONS = "directConnection=true&replicaSet=rundesk"

NOT_A_NUMBER = Message("misconfigured", "{name} must be a number, not {value!r}.")
NOT_AN_INTEGER = Message("misconfigured", "{name} must be an integer, not {value!r}.")
TOO_SMALL = Message("misconfigured", "{name} must be at least {limit}, not {value}.")
TOO_LARGE = Message("misconfigured", "{name} must be at most {limit}, not {value}.")
NOT_ALLOWED = Message("misconfigured", "{name} must be {allowed}, not {value!r}.")
INVALID_VALUE = Message("misconfigured", "{name} is invalid: {reason}.")
NESTED_INBOX = Message(
    "misconfigured", "RUNDESK_INBOX and RUNDESK_DATA must not contain one another."
)
INVALID_ORIGIN = Message(
    "misconfigured",
    "RUNDESK_CORS_ORIGINS contains {origin}, which is not an origin such as"
    " https://app.example.org.",
)
UNKNOWN_METHOD = Message(
    "misconfigured", "RUNDESK_SOFTWARE accepts conda and apptainer, not {method}."
)
INVALID_HOST = Message(
    "misconfigured",
    "RUNDESK_IMPORT_HOSTS contains {host}, which is not a lower-case host such as ftp.example.org,"
    " *.example.org or data.example.org:8443.",
)
INVALID_NETWORK = Message(
    "misconfigured",
    "RUNDESK_IMPORT_PRIVATE contains {network}, which is not an address or network such as"
    " 192.168.7.20 or 10.20.0.0/16.",
)
NOT_PRIVATE = Message(
    "misconfigured",
    "RUNDESK_IMPORT_PRIVATE contains {network}, which is not within one of the private networks"
    " {private}.",
)
PRIVATE_WITHOUT_HOSTS = Message(
    "misconfigured",
    "RUNDESK_IMPORT_PRIVATE has no effect without the names of hosts in RUNDESK_IMPORT_HOSTS.",
)
HEADERS_UNREADABLE = Message(
    "misconfigured", "The file of RUNDESK_IMPORT_HEADERS cannot be read: {reason}."
)
HEADERS_NOT_TOML = Message(
    "misconfigured", "The file of RUNDESK_IMPORT_HEADERS is not valid TOML in UTF-8: {reason}."
)
HEADERS_OF_OTHER_HOST = Message(
    "misconfigured",
    "The file of RUNDESK_IMPORT_HEADERS has headers for {host}, which is not an entry of"
    " RUNDESK_IMPORT_HOSTS without a wildcard.",
)
HEADERS_NOT_A_TABLE = Message(
    "misconfigured",
    "The file of RUNDESK_IMPORT_HEADERS must have a table of headers for {host}.",
)
#: Without the value, which is a secret.
INVALID_HEADER = Message(
    "misconfigured",
    "The file of RUNDESK_IMPORT_HEADERS has an invalid header {header} for {host}: a value is text"
    " of printable ASCII characters.",
)
RESERVED_HEADER = Message(
    "misconfigured",
    "The file of RUNDESK_IMPORT_HEADERS must not set the header {header}.",
)
SECRET_REQUIRED = Message(
    "misconfigured",
    "RUNDESK_REMOTE_USER_HEADER requires RUNDESK_REMOTE_USER_SECRET with at least {length}"
    " characters, which the proxy sends as X-Rundesk-Secret.",
)
UNKNOWN_SIGN_IN = Message("misconfigured", "RUNDESK_SIGN_IN must be tokens or empty, not {value}.")
PUBLIC_WITHOUT_SIGN_IN = Message(
    "misconfigured",
    "RUNDESK_HOST={host} is not a loopback address and sign-in is off: set RUNDESK_HOST=127.0.0.1,"
    " or configure sign-in with RUNDESK_REMOTE_USER_HEADER and RUNDESK_REMOTE_USER_SECRET, or with"
    " RUNDESK_SIGN_IN=tokens.",
)


def _names(value: Any) -> Any:
    """Values separated by commas."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _folders(value: Any) -> Any:
    """Absolute paths separated by colons."""
    if not isinstance(value, str):
        return value
    parts = (part.strip() for part in value.split(":"))
    return tuple(Path(part).expanduser().resolve() for part in parts if part)


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Folders = Annotated[tuple[Path, ...], BeforeValidator(_folders)]
Port = Annotated[int, Field(ge=1, le=65535)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Duration = Annotated[float, Field(ge=0)]


def setting(name: str, default: Any, help: str, unit: str = "") -> Any:
    """A row of the table."""
    return field(default=default, metadata={"name": name, "help": help, "unit": unit})


@dataclass(frozen=True)
class Settings:
    """The settings of an installation; `load` reads them from the environment."""

    data: Path = setting("RUNDESK_DATA", Path("data"), "Folder of the database, files and runs")
    host: str = setting("RUNDESK_HOST", "127.0.0.1", "Address on which portal and API listen")
    api_port: Port = setting("RUNDESK_API_PORT", 8000, "Port of the API")
    portal_port: Port = setting("RUNDESK_PORTAL_PORT", 8501, "Port of the portal")
    api_url: str = setting(
        "RUNDESK_API_URL", "", "Public address of the API; empty: RUNDESK_HOST and RUNDESK_API_PORT"
    )
    portal_url: str = setting(
        "RUNDESK_PORTAL_URL",
        "",
        "Public address of the portal; empty: RUNDESK_HOST and RUNDESK_PORTAL_PORT",
    )
    mongodb_uri: str = setting(
        "MONGODB_URI", "", "Connection string of a MongoDB replica set; empty: the embedded one"
    )
    database: str = setting("RUNDESK_DATABASE", "rundesk", "Name of the database")
    db_port: Port = setting("RUNDESK_DB_PORT", 27117, "Port of the embedded MongoDB")
    mongod: str = setting("MONGOD", "", "Path of a mongod binary; empty: the bundled one")
    workflows: Folders = setting(
        "RUNDESK_WORKFLOWS", (), "More folders with workflows, separated by colons"
    )
    software: Names = setting(
        "RUNDESK_SOFTWARE",
        (),
        "Methods by which Snakemake may install the software that workflows declare,"
        " separated by commas: conda, apptainer",
    )
    wall: Literal["required", "available", "off"] = setting(
        "RUNDESK_WALL",
        "required",
        "Wall around each run: required: with sign-in, Rundesk starts only where the wall is"
        " complete, and not as root; available: it starts with those parts of the wall that the"
        " host supports; off: no wall",
    )
    run_network: Literal["none", "declared"] = setting(
        "RUNDESK_RUN_NETWORK",
        "none",
        "Runs that may use the network: none, or declared: those of workflows whose manifest has"
        " needs: network",
    )
    run_reads: Folders = setting(
        "RUNDESK_RUN_READS",
        (),
        "More folders that runs may read, such as reference genomes, separated by colons",
    )
    run_writes: Folders = setting(
        "RUNDESK_RUN_WRITES", (), "More folders that runs may write, separated by colons"
    )
    run_variables: Names = setting(
        "RUNDESK_RUN_VARIABLES",
        (),
        "More environment variables of the server that runs may read, separated by commas",
    )
    run_memory: Natural = setting(
        "RUNDESK_RUN_MEMORY",
        0,
        "Maximum address space of one process of a run; 0: no limit",
        "MiB",
    )
    run_processes: Natural = setting(
        "RUNDESK_RUN_PROCESSES",
        0,
        "Maximum number of processes and threads of a run; 0: no limit",
    )
    run_file_size: Natural = setting(
        "RUNDESK_RUN_FILE_SIZE", 0, "Maximum size of a file that a run writes; 0: no limit", "MiB"
    )
    cores: Natural = setting(
        "RUNDESK_CORES", 0, "Cores shared by all runs; 0: all cores of the host"
    )
    run_cores: Natural = setting(
        "RUNDESK_RUN_CORES",
        0,
        "Cores of one run; 0: an equal share for RUNDESK_MAX_RUNS runs, at least 2",
    )
    max_runs: Positive = setting("RUNDESK_MAX_RUNS", 4, "Maximum number of simultaneous runs")
    max_runs_per_owner: Natural = setting(
        "RUNDESK_MAX_RUNS_PER_OWNER",
        0,
        "Maximum number of simultaneous runs of one owner; 0: no limit",
    )
    walltime: Duration = setting(
        "RUNDESK_WALLTIME", 0.0, "Maximum duration of one attempt; 0: no limit", "min"
    )
    max_console: Positive = setting(
        "RUNDESK_MAX_CONSOLE",
        64,
        "Maximum size of the log of a run; a longer log keeps its start and its end",
        "MiB",
    )
    max_output: Positive = setting(
        "RUNDESK_MAX_OUTPUT",
        1024,
        "Maximum size of the results of a run; files beyond it are left out of the results",
        "GiB",
    )
    disk_floor: Natural = setting(
        "RUNDESK_DISK_FLOOR", 512, "Free disk space below which no run starts", "MiB"
    )
    max_upload: Positive = setting(
        "RUNDESK_MAX_UPLOAD", 51200, "Maximum size of an uploaded or imported file", "MiB"
    )
    max_body: Positive = setting("RUNDESK_MAX_BODY", 1, "Maximum size of a JSON body", "MiB")
    import_hosts: Names = setting(
        "RUNDESK_IMPORT_HOSTS",
        (),
        "Hosts from which files may be imported, separated by commas: host,"
        " *.example.org, host:port; empty: none",
    )
    import_private: Names = setting(
        "RUNDESK_IMPORT_PRIVATE",
        (),
        "Private addresses or networks, separated by commas, at which hosts of RUNDESK_IMPORT_HOSTS"
        " that are listed without a wildcard may be: 192.168.7.20, 10.20.0.0/16; empty: none",
    )
    import_headers: str = setting(
        "RUNDESK_IMPORT_HEADERS",
        "",
        "TOML file with the secret headers, such as Authorization, that are sent to hosts of"
        " RUNDESK_IMPORT_HOSTS; empty: none",
    )
    inbox: str = setting(
        "RUNDESK_INBOX",
        "",
        "Folder on the server whose files users may register without uploading them; empty: none",
    )
    readable: Folders = setting(
        "RUNDESK_READABLE",
        (),
        "Folders, separated by colons, that parameters of runs may name by path although sign-in"
        " is on, such as reference data",
    )
    attempts: Positive = setting(
        "RUNDESK_ATTEMPTS",
        3,
        "Number of attempts after which a run that fails because of Rundesk or its"
        " host ends as SYSTEM_ERROR",
    )
    cancel_grace: Duration = setting(
        "RUNDESK_CANCEL_GRACE",
        5.0,
        "Time that a canceled run has to end before its processes are killed",
        "s",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "RUNDESK_LOG_LEVEL", "INFO", "Log level: DEBUG, INFO, WARNING or ERROR"
    )
    remote_user_header: str = setting(
        "RUNDESK_REMOTE_USER_HEADER",
        "",
        "Header in which an authenticating reverse proxy sends the user name; setting"
        " it turns sign-in on",
    )
    remote_user_secret: str = setting(
        "RUNDESK_REMOTE_USER_SECRET",
        "",
        "Secret that this proxy sends as X-Rundesk-Secret, at least 16 characters",
    )
    sign_in_by: str = setting(
        "RUNDESK_SIGN_IN",
        "",
        "tokens: portal and API require a token from users who are not signed in by a"
        " proxy; setting it turns sign-in on",
    )
    admins: Names = setting("RUNDESK_ADMINS", (), "Administrators, separated by commas")
    cors_origins: Names = setting(
        "RUNDESK_CORS_ORIGINS",
        (),
        "Origins whose pages may use the API, separated by commas, such as https://app.example.org",
    )
    rate_sign_in: Natural = setting(
        "RUNDESK_RATE_SIGN_IN",
        30,
        "Maximum number of failed sign-ins from one address; 0: no limit",
        "/min",
    )
    rate_submit: Natural = setting(
        "RUNDESK_RATE_SUBMIT",
        600,
        "Maximum number of runs that one user may submit through the API; 0: no limit",
        "/min",
    )
    rate_uploads: Natural = setting(
        "RUNDESK_RATE_UPLOADS",
        6000,
        "Maximum number of uploads that one user may start; 0: no limit",
        "/min",
    )
    stream_time: Duration = setting(
        "RUNDESK_STREAM_TIME",
        600.0,
        "Maximum duration of one event stream or followed log",
        "s",
    )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check the settings: those of `environ`, or of the environment and `.env`.

        Raises Misconfigured with one sentence that names the variable.
        """
        source = environment() if environ is None else environ
        texts = {item.name: source.get(item.metadata["name"], "").strip() for item in fields(cls)}
        values: dict[str, Any] = {name: text for name, text in texts.items() if text}
        values["data"] = Path(values.get("data", cls.data)).expanduser().resolve()
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise Misconfigured(_first_problem(error)) from None
        settings.check()
        return settings

    def check(self) -> None:
        """Raise Misconfigured when settings contradict each other or are unsafe."""
        self._check_lists()
        self._check_access()
        if (folder := self.inbox_folder) and (
            folder.is_relative_to(self.data) or self.data.is_relative_to(folder)
        ):
            raise Misconfigured(NESTED_INBOX())

    def _check_lists(self) -> None:
        for origin in self.cors_origins:
            if not ORIGIN.fullmatch(origin):
                raise Misconfigured(INVALID_ORIGIN(origin=origin))
        for method in self.software:
            if method not in SOFTWARE_METHODS:
                raise Misconfigured(UNKNOWN_METHOD(method=method))
        for entry in self.import_hosts:
            if not HOST_ENTRY.fullmatch(entry):
                raise Misconfigured(INVALID_HOST(host=entry))
        for entry in self.import_private:
            _check_private(entry)
        if self.import_private and not self.import_hosts:
            raise Misconfigured(PRIVATE_WITHOUT_HOSTS())
        self.read_import_headers()

    def _check_access(self) -> None:
        if self.remote_user_header and len(self.remote_user_secret) < MIN_SECRET_LENGTH:
            raise Misconfigured(SECRET_REQUIRED(length=MIN_SECRET_LENGTH))
        if self.sign_in_by not in ("", "tokens"):
            raise Misconfigured(UNKNOWN_SIGN_IN(value=self.sign_in_by))
        if not self.sign_in and not is_loopback(self.host):
            raise Misconfigured(PUBLIC_WITHOUT_SIGN_IN(host=self.host))

    @property
    def sign_in(self) -> bool:
        """Whether users must sign in; otherwise everyone is the one local user."""
        return bool(self.remote_user_header or self.sign_in_by)

    @property
    def uri(self) -> str:
        """Connection string of MongoDB."""
        return self.mongodb_uri or f"mongodb://127.0.0.1:{self.db_port}/?{EMBEDDED_OPTIONS}"

    @property
    def shared_cores(self) -> int:
        return self.cores or len(os.sched_getaffinity(0))

    @property
    def cores_per_run(self) -> int:
        share = max(2, self.shared_cores // self.max_runs)
        return min(self.run_cores or share, self.shared_cores)

    @property
    def workflow_folders(self) -> tuple[Path, ...]:
        """Bundled workflows first, added ones last; the first folder with a name wins."""
        return (HERE / "workflows", *self.workflows, self.catalogue)

    @property
    def cache(self) -> Path:
        """Snakemake's between-workflow cache: outputs of rules marked `cache: True`."""
        return self.data / "cache"

    @property
    def catalogue(self) -> Path:
        """Folder of the workflows that administrators added."""
        return self.data / "catalogue"

    @property
    def private_networks(self) -> tuple[Network, ...]:
        """The networks of RUNDESK_IMPORT_PRIVATE; an address is a network of its own."""
        return tuple(ipaddress.ip_network(entry) for entry in self.import_private)

    def read_import_headers(self) -> dict[str, dict[str, str]]:
        """Read the headers by entry of RUNDESK_IMPORT_HOSTS. Raises Misconfigured.

        They are not a field: the settings may be shown and logged.
        """
        if not self.import_headers:
            return {}
        try:
            with Path(self.import_headers).expanduser().open("rb") as file:
                content = tomllib.load(file)
        except OSError as error:
            raise Misconfigured(HEADERS_UNREADABLE(reason=error.strerror or "")) from None
        except tomllib.TOMLDecodeError as error:
            raise Misconfigured(HEADERS_NOT_TOML(reason=error)) from None
        except UnicodeDecodeError:
            raise Misconfigured(HEADERS_NOT_TOML(reason="invalid UTF-8")) from None
        for host, headers in content.items():
            if host not in self.import_hosts or host.startswith("*"):
                raise Misconfigured(HEADERS_OF_OTHER_HOST(host=host))
            if not isinstance(headers, dict):
                raise Misconfigured(HEADERS_NOT_A_TABLE(host=host))
            for name, value in headers.items():
                _check_header(host, name, value)
        return content

    @property
    def inbox_folder(self) -> Path | None:
        return Path(self.inbox).expanduser().resolve() if self.inbox else None

    @property
    def public_api_url(self) -> str:
        return self.api_url.rstrip("/") or f"http://{_bracketed(self.host)}:{self.api_port}"

    @property
    def public_portal_url(self) -> str:
        return self.portal_url.rstrip("/") or f"http://{_bracketed(self.host)}:{self.portal_port}"


def environment() -> dict[str, str]:
    """The environment of this process, over the values of `.env`."""
    file = {name: value or "" for name, value in dotenv_values(ENV_FILE).items()}
    return file | os.environ


def table() -> list[dict[str, str]]:
    """The settings as rows of text: name, default, unit, help."""
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
    """Whether `host` is a loopback address; of names only localhost is."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_private(entry: str) -> None:
    """Raise Misconfigured unless an entry of RUNDESK_IMPORT_PRIVATE is a private network."""
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        raise Misconfigured(INVALID_NETWORK(network=entry)) from None
    known = [private for private in PRIVATE_NETWORKS if private.version == network.version]
    if not any(network.subnet_of(private) for private in known):  # type: ignore[arg-type]
        private = ", ".join(map(str, PRIVATE_NETWORKS))
        raise Misconfigured(NOT_PRIVATE(network=entry, private=private))


def _check_header(host: str, name: str, value: Any) -> None:
    """Raise Misconfigured unless a header may be sent to a host."""
    if name.lower() in RESERVED_HEADERS:
        raise Misconfigured(RESERVED_HEADER(header=name))
    valid = isinstance(value, str) and HEADER_VALUE.fullmatch(value)
    if not HEADER_NAME.fullmatch(name) or not valid:
        raise Misconfigured(INVALID_HEADER(header=name, host=host))


def _first_problem(error: ValidationError) -> Text:
    """The first value that has the wrong type or is out of range."""
    names = {item.name: item.metadata["name"] for item in fields(Settings)}
    first = error.errors(include_url=False)[0]
    name, value = names[str(first["loc"][0])], first["input"]
    match first["type"]:
        case "int_parsing" | "int_from_float":
            return NOT_AN_INTEGER(name=name, value=value)
        case "float_parsing":
            return NOT_A_NUMBER(name=name, value=value)
        case "greater_than_equal":
            return TOO_SMALL(name=name, value=value, limit=first["ctx"]["ge"])
        case "less_than_equal":
            return TOO_LARGE(name=name, value=value, limit=first["ctx"]["le"])
        case "literal_error":
            return NOT_ALLOWED(name=name, value=value, allowed=first["ctx"]["expected"])
        case _:
            return INVALID_VALUE(name=name, reason=first["msg"])


def _shown(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
