"""Files, uploads and imports, and the databases to search in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from services.models.base import Model
from services.models.states import State

FileId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of a file",
        examples=["65f0c0ffee0123456789abce"],
    ),
]


class File(Model):
    """A registered file. Its name is for people and is never used as a path."""

    id: FileId
    name: str
    size: int = Field(description="Size in bytes")
    sha256: str
    kind: str = Field(description="Kind of file by its name: fasta, fastq, table, … or other")
    owner: str
    created: datetime


UploadId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{32}$",
        description="Identifier of an upload",
        examples=["0c1d2e3f405162738495a6b7c8d9eafb"],
    ),
]


class Upload(Model):
    """A file that is being uploaded. It may be sent in parts and resumed after an interruption."""

    id: UploadId
    name: str
    size: int = Field(description="Size of the whole file in bytes")
    offset: int = Field(description="Number of bytes received")
    metadata: str = Field(description="The Upload-Metadata header as it was sent")
    owner: str
    created: datetime
    expires: datetime = Field(description="Time at which it is deleted unless more data arrive")
    file: FileId | None = Field(
        description="Id of the registered file, once the upload is complete"
    )


ImportId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of an import",
        examples=["65f0c0ffee0123456789abd1"],
    ),
]


class ImportRequest(Model):
    """A file that Rundesk is to import. Either `url` or `inbox` is required."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str | None = Field(
        None, min_length=1, max_length=4000, description="URL of the file at an allowed host"
    )
    inbox: str | None = Field(
        None, min_length=1, max_length=4000, description="Path of a file in the inbox"
    )
    name: str = Field(
        "",
        max_length=255,
        description="Name of the registered file; empty: the one that the host sends"
        " (Content-Disposition), or that in the URL or the inbox",
    )


class Import(Model):
    """A file that Rundesk imports, with its progress."""

    id: ImportId
    owner: str
    url: str | None = Field(description="URL of the file; null: it is imported from the inbox")
    inbox: str | None = Field(description="Path in the inbox; null: it is imported from a URL")
    name: str = Field(
        description="Name of the file; it may be empty, and changes if the host sends another one"
    )
    state: State = Field(
        description="QUEUED, RUNNING, COMPLETE, EXECUTOR_ERROR (the file cannot be imported)"
        " or SYSTEM_ERROR (Rundesk or its host failed)"
    )
    size: int | None = Field(description="Size of the whole file in bytes, once it is known")
    received: int = Field(description="Number of bytes received so far")
    attempts: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str | None = Field(description="Reason of a failure in one sentence")
    hint: str = Field("", description="What to do next, where it is not obvious")
    file: FileId | None = Field(
        description="Id of the registered file, once the import is complete"
    )


class InboxFile(Model):
    """A file on the server that can be registered without an upload."""

    path: str = Field(description="Path relative to the inbox, with / as separator")
    size: int = Field(description="Size in bytes")
    modified: datetime


class DatabaseIndex(Model):
    """An index of a database, kept for all searches."""

    key: str = Field(description="Key of the index in the cache")
    part: str = Field(description="sequences, or for large databases also a table of their k-mers")
    type: str = Field(description="Type of the sequences: protein or nucleotide")
    sequences: int
    letters: int
    release: str = Field(description="Release of MMseqs2")
    size: int = Field(description="Size in bytes")
    built: datetime


class SearchDatabase(Model):
    """A database to search in, with its indexes."""

    name: str
    published: bool = Field(description="True: published for all users; false: a file of your own")
    file: str = Field(description="Name of the file")
    size: int = Field(description="Size of the file in bytes")
    sha256: str
    created: datetime = Field(description="Time of publication or upload")
    indexes: list[DatabaseIndex] = Field(
        description="Indexes, newest first; empty before the first search"
    )
