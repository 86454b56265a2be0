"""The test data that a workflow ships, as its example.

Authors test a workflow with `snakemake --directory .test`, where `.test/config` takes the place of
`config`, or with one of several configurations such as `.test/config_basic/config.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.catalogue.configuration import CONFIGS, Broken, mapping
from services.catalogue.observations import Observed
from services.catalogue.schemas import first
from services.models import Example

TITLE = "Test data of the workflow"
BASES = (".test", ".tests/integration", ".tests", "test", "tests", ".test_pe", ".test_se")
PREFERRED = ("basic", "simple", "small", "minimal", "test")
MAX_TESTS = 4  # of a workflow that are planned
CONFIG_NAMES = ("config.yaml", "config.yml", "config.json")


@dataclass(frozen=True)
class TestData:
    """One set of test data of a workflow."""

    __test__ = False  # pytest takes it for a test by its name

    base: str  # the working directory, relative to the workflow's folder
    configfile: str  # relative to `base`, where it is not the one that the Snakefile names; or ""


def sets_of_test_data(folder: Path, configfiles: Sequence[str] = ()) -> list[TestData]:
    """Return the sets of test data of the workflow in a folder, the most promising first.

    `configfiles` are those that the Snakefile names, relative to its working directory.
    """
    usual = [path for path in (*configfiles, *CONFIGS) if not Path(path).is_absolute()]
    found: dict[TestData, None] = {}
    for base in BASES:
        root = folder / base
        if any((root / path).is_file() for path in usual):
            found[TestData(base, "")] = None
        for path in sorted(_configurations(root), key=_rank):
            found[TestData(base, str(path.relative_to(root)))] = None
    return list(found)[:MAX_TESTS]


def example_of(folder: Path, seen: Observed | None) -> Example | None:
    """Return the test data of the workflow in a folder as its example; None without any.

    Of several sets it is the first that Snakemake could plan. Where no plan was made it is the
    first set, so that a workflow in a folder of the server has its example, too.
    """
    if seen is None:
        data = sets_of_test_data(folder)
        return _example(folder, data[0]) if data else None
    for record in seen.records[1:]:
        if record.get("error") is None and not record.get("created") and record.get("jobs"):
            return Example(
                title=TITLE,
                params=dict(record["config"]),
                base=str(record["base"]),
            )
    return None


def _example(folder: Path, data: TestData) -> Example | None:
    names = [data.configfile] if data.configfile else CONFIGS
    path = first(folder / data.base, names)
    try:
        return Example(title=TITLE, params=mapping(path), base=data.base) if path else None
    except Broken:
        return None


def _configurations(root: Path) -> Iterator[Path]:
    """Yield the configuration files of folders such as `config_basic`, or beside such folders."""
    for folder in (root, *sorted(root.glob("config*"))):
        if folder.name != "config":
            yield from (folder / name for name in CONFIG_NAMES if (folder / name).is_file())


def _rank(path: Path) -> tuple[int, str]:
    name = path.parent.name
    order = [index for index, word in enumerate(PREFERRED) if word in name]
    return (order[0] if order else len(PREFERRED)), str(path)
