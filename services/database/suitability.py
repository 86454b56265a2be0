"""Whether a MongoDB server can be used: each wrong one has a sentence of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import (
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import parse_uri

from services.errors import Message, Misconfigured, Text

CHECK_TIMEOUT_S = 5.0
MIN_VERSION = (5, 0)
AUTHENTICATION_FAILED, UNAUTHORIZED = 18, 13  # error codes of MongoDB
MAX_REASON_CHARACTERS = 200
SECRET = re.compile(r"//[^@/]*@")

INVALID_URI = Message(
    "misconfigured",
    "MONGODB_URI is not a valid connection string: {reason}",
    hint="It starts with mongodb:// or mongodb+srv://, and characters such as @ : / % in a password"
    " are escaped, as %40 for @.",
)
UNACKNOWLEDGED = Message(
    "misconfigured",
    "MONGODB_URI sets w=0, with which lost writes are not noticed.",
    hint="Remove w from MONGODB_URI; the default of a replica set is correct.",
)
UNREACHABLE = Message(
    "misconfigured",
    "The database at {hosts} cannot be reached: {reason}",
    hint="Check address, port and firewall, and that mongod is running.",
)
UNTRUSTED = Message(
    "misconfigured",
    "The TLS certificate of the database at {hosts} is not trusted.",
    hint="Name the certificate of your authority with tlsCAFile in MONGODB_URI.",
)
WRONG_SET = Message(
    "misconfigured",
    "The database at {hosts} does not belong to the replica set that MONGODB_URI names.",
    hint="Correct replicaSet in MONGODB_URI.",
)
WRONG_PASSWORD = Message(
    "misconfigured",
    "The database at {hosts} refuses the user or the password of MONGODB_URI.",
    hint="Check both, and authSource if the user belongs to another database.",
)
USER_REQUIRED = Message(
    "misconfigured",
    "The database at {hosts} requires a user, and MONGODB_URI names none.",
    hint="Use mongodb://USER:PASSWORD@HOST/?authSource=DATABASE.",
)
NOT_ALLOWED = Message(
    "misconfigured",
    "The user of MONGODB_URI may not change the database {name}.",
    hint="Give the user the role readWrite on this database.",
)
STANDALONE = Message(
    "misconfigured",
    "The database at {hosts} is not a replica set, and a standalone server loses confirmed writes.",
    hint="Start mongod with --replSet and run rs.initiate() once; one member is enough.",
)
NO_PRIMARY = Message(
    "misconfigured",
    "The database at {hosts} has no primary, so nothing can be written.",
    hint="Check the replica set with rs.status(); do not use directConnection to a secondary.",
)
TOO_OLD = Message(
    "misconfigured",
    "The database at {hosts} is MongoDB {version}; at least {minimum} is needed.",
)

#: What may be different soon: a server that starts, or elects a primary.
MAY_PASS = (UNREACHABLE, NO_PRIMARY)


def check(uri: str, name: str, *, timeout: float = CHECK_TIMEOUT_S) -> str:
    """Return the version of a server that can be used. Raises Misconfigured with the reason.

    Writes one document with the default write concern, and removes it.
    """
    try:
        server = _server(uri)
        client = _client(uri, timeout)
    except (PyMongoError, ValueError, TypeError, OSError) as error:
        raise Misconfigured(INVALID_URI(reason=_reason(error))) from None
    try:
        with pymongo.timeout(timeout):
            return _check(client, server, name)
    finally:
        client.close()


@dataclass(frozen=True)
class Server:
    """What a connection string says about the server, for messages."""

    hosts: str
    has_user: bool


def _server(uri: str) -> Server:
    if uri.startswith("mongodb+srv://"):
        return Server(uri.rpartition("@")[2].partition("/")[0], "@" in uri)
    parts = parse_uri(uri)
    hosts = ", ".join(f"{host}:{port}" for host, port in parts["nodelist"])
    return Server(hosts, parts["username"] is not None)


def _client(uri: str, timeout: float) -> MongoClient[dict[str, Any]]:
    milliseconds = int(timeout * 1000)
    client: MongoClient[dict[str, Any]] = MongoClient(
        uri,
        appname="rundesk-check",
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
    )
    if client.write_concern.document.get("w") == 0:
        client.close()
        raise Misconfigured(UNACKNOWLEDGED())
    return client


def _check(client: MongoClient[dict[str, Any]], server: Server, name: str) -> str:
    try:
        hello = client.admin.command("hello")
        hosts = server.hosts
        if "setName" not in hello:
            raise Misconfigured(STANDALONE(hosts=hosts))
        if not hello.get("isWritablePrimary"):
            raise Misconfigured(NO_PRIMARY(hosts=hosts))
        version = str(client.server_info()["version"])
        if tuple(map(int, version.split(".")[:2])) < MIN_VERSION:
            minimum = ".".join(map(str, MIN_VERSION))
            raise Misconfigured(TOO_OLD(hosts=hosts, version=version, minimum=minimum))
        probe = client[name]["checks"].insert_one({})
        client[name]["checks"].delete_one({"_id": probe.inserted_id})
        return version
    except OperationFailure as error:
        raise Misconfigured(_refused(server, name, error)) from None
    except PyMongoError as error:
        raise Misconfigured(_unreachable(client, server.hosts, error)) from None


def _refused(server: Server, name: str, error: OperationFailure) -> Text:
    hosts = server.hosts
    if error.code == AUTHENTICATION_FAILED:
        return WRONG_PASSWORD(hosts=hosts)
    if error.code == UNAUTHORIZED:
        return NOT_ALLOWED(name=name) if server.has_user else USER_REQUIRED(hosts=hosts)
    return UNREACHABLE(hosts=hosts, reason=_reason(error))


def _unreachable(client: MongoClient[dict[str, Any]], hosts: str, error: PyMongoError) -> Text:
    text = str(error)
    if isinstance(error, ServerSelectionTimeoutError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return UNTRUSTED(hosts=hosts)
        wanted = client.options.replica_set_name
        servers = client.topology_description.server_descriptions().values()
        if "is not a member of replica set" in text or "replica set named" in text:
            return WRONG_SET(hosts=hosts)
        if wanted and not servers:  # those of another set are removed
            return WRONG_SET(hosts=hosts)
        if any(server.is_readable for server in servers):
            return NO_PRIMARY(hosts=hosts)
    return UNREACHABLE(hosts=hosts, reason=_reason(error))


def _reason(error: Exception) -> str:
    """Return the first sentence of an error of the driver, without secrets."""
    text = SECRET.sub("//(hidden)@", str(error)).split(" (configured timeouts")[0]
    return text[:MAX_REASON_CHARACTERS].rstrip(".") + "."
