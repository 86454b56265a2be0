"""Files, how they come here, and the databases made of them."""

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
    """A registered file. The name is for people and never used as a path."""

    id: FileId
    name: str
    size: int = Field(description="bytes")
    sha256: str
    kind: str = Field(description="What its name says it is: fasta, fastq, table, … or other")
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
    """A file on its way: it may arrive in pieces, and be resumed where it was cut."""

    id: UploadId
    name: str
    size: int = Field(description="bytes of the whole file")
    offset: int = Field(description="bytes that have arrived")
    metadata: str = Field(description="Upload-Metadata as it was sent")
    owner: str
    created: datetime
    expires: datetime = Field(description="When it is forgotten, unless more of it arrives")
    file: FileId | None = Field(description="The registered file, once all has arrived")


ImportId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of an import",
        examples=["65f0c0ffee0123456789abd1"],
    ),
]


class ImportRequest(Model):
    """A file that the desk is to fetch itself: `url` or `inbox`, not both."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str | None = Field(
        None, min_length=1, max_length=4000, description="Address at a host that is allowed here"
    )
    inbox: str | None = Field(
        None, min_length=1, max_length=4000, description="Path of a file in the inbox"
    )
    name: str = Field("", max_length=255, description="What to call it; empty: as it is called")


class Import(Model):
    """A file that the desk fetches itself, and how far that is."""

    id: ImportId
    owner: str
    url: str | None = Field(description="Where from; null: from the inbox")
    inbox: str | None = Field(description="Path in the inbox; null: from an address")
    name: str
    state: State = Field(
        description="QUEUED, RUNNING, COMPLETE, EXECUTOR_ERROR (what was asked for cannot be had)"
        " or SYSTEM_ERROR (the desk failed)"
    )
    size: int | None = Field(description="bytes of the whole file, once known")
    received: int = Field(description="bytes read so far")
    attempts: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str | None = Field(description="Why it came to nothing, in one sentence")
    hint: str = Field("", description="What to do about it")
    file: FileId | None = Field(description="The registered file, once it is there")


class InboxFile(Model):
    """A file on the server that may be registered where it lies."""

    path: str = Field(description="Relative to the inbox, with / between folders")
    size: int = Field(description="bytes")
    modified: datetime


class DatabaseIndex(Model):
    """What was built of a database, kept for all searches."""

    key: str = Field(description="Names it in the cache")
    part: str = Field(description="sequences, or a table of their k-mers, which large ones get")
    type: str = Field(description="What it was read as: protein or nucleotide")
    sequences: int
    letters: int
    release: str = Field(description="Of MMseqs2")
    size: int = Field(description="bytes")
    built: datetime


class SearchDatabase(Model):
    """Something to search in by name."""

    name: str
    published: bool = Field(description="True: for everybody; false: a file of your own")
    file: str = Field(description="Name of the file")
    size: int = Field(description="bytes of the file")
    sha256: str
    created: datetime = Field(description="When it was published, or uploaded")
    indexes: list[DatabaseIndex] = Field(description="Newest first; empty: nobody searched yet")
