"""The configuration of a workflow: which files it reads, and the values in them.

A Snakefile names its configuration by `configfile:` and the schema of it by `validate(config, …)`.
Reading a Snakefile executes it, so both are found in its text here. What a dry run of Snakemake has
observed takes precedence (services/catalogue/recognition.py).
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from services.catalogue import config_files
from services.errors import Message, Text

CONFIGS = ("config/config.yaml", "config/config.yml", "config/config.json", "config.yaml")
SUFFIXES = (".yaml", ".yml", ".json")
SCHEMAS = tuple(
    f"{folder}/{name}"
    for folder in ("workflow/schemas", "schemas", "config")
    for name in ("config.schema.yaml", "config.schema.yml", "config.schema.json", "schema.yaml")
)
PROFILES = ("profiles/default", "workflow/profiles/default")  # as Snakemake looks for them
#: What counts of a workflow's profile. Cores, executor and the like are those of this server.
PROFILE_SETTINGS = (
    "set-threads",
    "set-resources",
    "set-scatter",
    "set-resource-scopes",
    "default-resources",
    "resources",
)
SNAKEFILES = ("workflow/Snakefile", "Snakefile")
CONFIGFILE = re.compile(r"^[ \t]*configfile[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)?)", re.MULTILINE)
INCLUDE = re.compile(r"^[ \t]*include[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)?)", re.MULTILINE)
VALIDATE = re.compile(r"^[ \t]*validate\(\s*config\s*,\s*(?:schema\s*=\s*)?(.*)", re.MULTILINE)
ASSIGNMENT = re.compile(r"^[ \t]*(\w+)[ \t]*=[ \t]*(\S.*)$", re.MULTILINE)
BASEDIR = "\0basedir"  # stands for the folder of the main Snakefile in a path
MAX_SNAKEFILES = 200

UNREADABLE = Message("invalid_workflow", "{file} cannot be read: {error}.")
NOT_A_MAPPING = Message("invalid_workflow", "{file} must contain names and their values.")


class Broken(Exception):
    """The files of a workflow are missing or invalid; `text` says which and why."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


@dataclass(frozen=True)
class ConfigFile:
    """A configuration file of a workflow."""

    path: str  # relative to the workflow's folder, and to the run directory
    text: str  # "" when the workflow has none of this name
    values: Mapping[Any, Any]  # as Snakemake reads them


@dataclass(frozen=True)
class Configuration:
    """The configuration of a workflow, as Snakemake reads it from the untouched repository."""

    files: tuple[ConfigFile, ...] = ()  # in the order in which they are merged
    values: Mapping[Any, Any] = field(default_factory=dict)  # merged
    schema: str = ""  # path of the schema in the workflow's folder; "" when there is none
    named: bool = True  # whether the Snakefile reads the files itself, by `configfile:`
    beside_snakefile: bool = False  # whether it finds them by the path of the Snakefile

    @property
    def paths(self) -> dict[str, ConfigFile]:
        """The files by path."""
        return {file.path: file for file in self.files}

    @property
    def exists(self) -> bool:
        """Whether the workflow has a configuration at all."""
        return any(file.text for file in self.files)

    @property
    def comments(self) -> dict[tuple[str, ...], str]:
        """What comments say about the values, by path."""
        found: dict[tuple[str, ...], str] = {}
        for file in self.files:
            found |= config_files.comments(file.text)
        return found

    @property
    def params(self) -> dict[str, Any]:
        """The values as parameters, that is as JSON."""
        image: dict[str, Any] = config_files.as_json(self.values)
        return image

    def texts(self, params: Mapping[str, Any]) -> dict[str, str]:
        """Return the texts of the files, by path, with which Snakemake reads these parameters.

        Each file keeps the keys that it has; keys of none go into the last one.
        """
        values = config_files.with_values(dict(self.values), dict(params))
        texts = {}
        for file in self.files:
            own = config_files.restricted(values, file.values)
            if file is self.files[-1]:
                own = _completed(own, values, [other.values for other in self.files])
            texts[file.path] = config_files.written(file.text, own)
        return texts


def _completed(own: Any, values: Any, shapes: Sequence[Any]) -> Any:
    """Return `own` with the keys of `values` that none of the shapes has, at any depth."""
    if not isinstance(own, Mapping) or not isinstance(values, Mapping):
        return own
    completed = dict(own)
    mappings = [shape for shape in shapes if isinstance(shape, Mapping)]
    for key, value in values.items():
        inner = [shape[key] for shape in mappings if key in shape]
        if not inner:
            completed[key] = value
        elif isinstance(value, Mapping):
            more = _completed(completed.get(key, {}), value, inner)
            if more or key in completed:
                completed[key] = more
    return completed


def configuration_of(
    folder: Path,
    *,
    replaced: Mapping[str, str] | None = None,
    paths: Sequence[str] = (),
    schema: str | None = None,
) -> Configuration:
    """Return the configuration of the workflow in a folder.

    `replaced` holds texts that take the place of files, by path. `paths` and `schema` are the files
    that Snakemake was seen to read; without them they are found in the text of the Snakefiles.
    Raises Broken for a configuration that cannot be read.
    """
    sources = _Sources(folder)
    static = sources.configfiles()
    found = [path for path in paths if _is_inside(path)] or static
    named = bool(found)
    if not found:
        found = _usual(folder)
    files, values = [], config_files.Values()
    for path in dict.fromkeys(found):
        text = (replaced or {}).get(path)
        if text is None:
            text = file_text(folder / source) if (source := _source(folder, path)) else ""
        content = parsed_mapping(text, path)
        files.append(ConfigFile(path, text, content))
        config_files.update(values, content)
    config_files.update(values, _profile_values(profile_of(folder)))
    return Configuration(
        files=tuple(files),
        values=values,
        schema=(sources.schema() or _first(folder, SCHEMAS)) if schema is None else schema,
        named=named,
        beside_snakefile=sources.beside,
    )


def profile_of(folder: Path) -> dict[str, Any]:
    """Return the settings of the workflow's own profile, {} without one or if it is unreadable."""
    for name in PROFILES:
        place = folder / name
        if not place.is_dir():
            continue
        known = [place / f"{stem}.yaml" for stem in ("profile", "config")]
        versioned = sorted(place.glob("config.v*+.yaml")) + sorted(place.glob("profile.v*+.yaml"))
        for path in (*reversed(versioned), *known):
            if path.is_file():
                try:
                    text = file_text(path)
                    content = dict(parsed_mapping(text, path.name))
                except Broken:
                    return {}
                # A template is Python code, and may need an environment that runs do not have.
                return {} if config_files.USES_TEMPLATES in text else content
    return {}


def _profile_values(profile: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a profile sets: `config: [key=value]`, or a mapping."""
    given = profile.get("config")
    if isinstance(given, Mapping):
        return dict(given)
    values = {}
    for entry in given if isinstance(given, list) else ():
        key, equals, text = str(entry).partition("=")
        if equals:
            try:
                values[key] = yaml.safe_load(text)
            except yaml.YAMLError:
                values[key] = text
    return values


def _usual(folder: Path) -> list[str]:
    """The configuration of a workflow whose Snakefile names none: its authors pass it.

    The file of its profile, or one of the usual names, or the only one in `config/`.
    """
    named = profile_of(folder).get("configfile") or profile_of(folder).get("configfiles")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    paths = [name for name in names if isinstance(name, str) and _is_inside(name)]
    if paths:
        return paths
    if usual := _first(folder, CONFIGS):
        return [usual]
    config = folder / "config"
    only = sorted(path for path in config.glob("*") if path.suffix in SUFFIXES and path.is_file())
    only = [path for path in only if "schema" not in path.name]
    return [f"config/{only[0].name}"] if len(only) == 1 else ["config/config.yaml"]


def _source(folder: Path, path: str) -> str:
    """The file of the workflow with the text of a configuration file; "" without one.

    Where that file is its users' to write, it is the one in the config folder that they copy.
    """
    stem, suffix = posixpath.splitext(path)
    samples = [f"{stem}.{word}{suffix}" for word in ("example", "template", "default")]
    samples += [f"{path}.{word}" for word in ("example", "template", "sample")]
    return _first(folder, [path, f"config/{posixpath.basename(path)}", *samples])


def _first(folder: Path, paths: Sequence[str]) -> str:
    return next((path for path in paths if (folder / path).is_file()), "")


def _is_inside(path: str) -> bool:
    return not posixpath.isabs(path) and not posixpath.normpath(path).startswith("..")


def file_text(path: Path) -> str:
    """Return the text of a file of a workflow. Raises Broken."""
    try:
        return config_files.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Broken(UNREADABLE(file=path.name, error=_reason(error))) from error


def mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML or JSON file of names and values. Raises Broken."""
    return dict(parsed_mapping(file_text(path), path.name))


def parsed_mapping(text: str, name: str) -> Mapping[Any, Any]:
    """Return the content of the YAML or JSON of names and values in `text`. Raises Broken."""
    try:
        content = config_files.parsed(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Broken(UNREADABLE(file=Path(name).name, error=_reason(error))) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Broken(NOT_A_MAPPING(file=Path(name).name))
    return content


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")


class _Sources:
    """The text of the Snakefiles of a workflow: the main one, and those that it includes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        main = _first(folder, SNAKEFILES)
        self._base = posixpath.dirname(main)
        self._texts: dict[str, str] = {}
        self._read(main)
        self._names = dict(self._constants())
        self.beside = False

    def configfiles(self) -> list[str]:
        """The paths of `configfile:`, in order, without those outside the workflow's folder."""
        found = []
        for text in self._texts.values():
            for match in CONFIGFILE.finditer(text):
                path = self._path(match[1])
                if path is None:
                    continue
                if path.startswith(BASEDIR):
                    path = posixpath.normpath(posixpath.join(self._base, path[len(BASEDIR) + 1 :]))
                    self.beside = self.beside or _is_inside(path)
                if _is_inside(path):
                    found.append(posixpath.normpath(path))
        return found

    def schema(self) -> str:
        """The path of the schema that the configuration is validated with; "" if unknown."""
        for name, text in self._texts.items():
            for match in VALIDATE.finditer(text):
                path = self._path(match[1])
                if path is None:
                    continue
                base = self._base if path.startswith(BASEDIR) else posixpath.dirname(name)
                path = path.removeprefix(BASEDIR).lstrip("/")
                path = posixpath.normpath(posixpath.join(base, path))
                if _is_inside(path) and (self._folder / path).is_file():
                    return path
        return ""

    def _read(self, name: str) -> None:
        if not name or name in self._texts or len(self._texts) >= MAX_SNAKEFILES:
            return
        try:
            text = (self._folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        self._texts[name] = text
        for match in INCLUDE.finditer(text):
            path = _value(match[1], {})
            if path is not None:
                included = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
                if _is_inside(included):
                    self._read(included)

    def _constants(self) -> Iterator[tuple[str, str]]:
        for text in self._texts.values():
            for match in ASSIGNMENT.finditer(text):
                value = _value(match[2], {})
                if value is not None:
                    yield match[1], value

    def _path(self, source: str) -> str | None:
        return _value(source, self._names)


def _value(source: str, names: Mapping[str, str]) -> str | None:
    """Return the text that the expression at the start of `source` stands for, None if unknown."""
    source = source.strip()
    for end in (len(source), *(i for i in range(len(source), 0, -1) if source[i - 1] in ")\"',")):
        piece = source[:end].rstrip(",").strip()
        try:
            tree = ast.parse(piece, mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if isinstance(tree, ast.Tuple) and tree.elts:
            tree = tree.elts[0]
        return _evaluated(tree, names)
    return None


def _evaluated(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """Return the text of an expression of constants, names, `posixpath.join` and `basedir`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=ast.Name(id="workflow"), attr="basedir"):
            return BASEDIR
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = [_evaluated(left, names), _evaluated(right, names)]
            return None if None in parts else "".join(map(str, parts))
        case ast.Call(func=ast.Attribute(attr="join"), args=args) if len(args) > 1:
            parts = [_evaluated(part, names) for part in args]
            return None if None in parts else posixpath.join(*map(str, parts))
        case ast.Call(func=ast.Attribute(attr="source_path"), args=[path]):
            inner = _evaluated(path, names)
            return None if inner is None else f"{BASEDIR}/{inner}"
        case ast.JoinedStr(values=values):
            parts = [
                _evaluated(v.value if isinstance(v, ast.FormattedValue) else v, names)
                for v in values
            ]
            return None if None in parts else "".join(map(str, parts))
        case _:
            return None
