"""The arguments of Snakemake that runs, previews, reports and repetitions in a terminal share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.catalogue.configuration import Configuration, configuration_of
from services.catalogue.layout import snakefile
from services.catalogue.recognition import observed
from services.rundir import RunDir


def workflow_arguments(workflow: Path, rundir: RunDir) -> list[str]:
    """Return the arguments for a workflow, whose frozen copy is `workflow`, in a run directory.

    Its values are in the configuration file that the Snakefile names. A file that only its authors'
    command line names is named here, too. Only resources and threads of the workflow's profile
    count. Every user of the host can read arguments, so they hold no parameters. Raises Broken.
    """
    configuration = own_configuration(workflow)
    given = () if configuration.named else configuration.files
    files = [file.path for file in given if (rundir.root / file.path).exists()]
    if rundir.config.exists():  # of a run that an earlier version prepared
        files = [rundir.config.name]
    profile = str(rundir.profile) if rundir.profile.exists() else "none"
    return [
        *("--snakefile", str(own_snakefile(workflow, configuration, rundir))),
        *("--directory", str(rundir.root)),
        *(word for path in files for word in ("--configfile", str(rundir.root / path))),
        *("--profile", "none"),
        *("--workflow-profile", profile),
    ]


def own_configuration(workflow: Path, replaced: Mapping[str, str] | None = None) -> Configuration:
    """Return the configuration of the workflow in a folder; see `configuration_of`."""
    seen = observed(workflow)
    return configuration_of(
        workflow,
        replaced=replaced,
        paths=seen.configfiles if seen else (),
        schema=seen.config_schema if seen else None,
    )


def own_snakefile(workflow: Path, configuration: Configuration, rundir: RunDir) -> Path:
    """Return the Snakefile to run: that of the frozen copy.

    A Snakefile that looks for its configuration beside itself runs from its link in the run
    directory, where the configuration of the run is. Raises Broken.
    """
    path = snakefile(workflow)
    if not configuration.beside_snakefile:
        return path
    return rundir.root / path.relative_to(workflow)
