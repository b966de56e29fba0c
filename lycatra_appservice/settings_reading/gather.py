"""Brings file, environment and secret files together, before anything looks at their meaning."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from lycatra_appservice.model import JSON
from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.settings_reading.environment import Variable, overlay, read_environment
from lycatra_appservice.settings_reading.mistakes import ENVIRONMENT_LINE, Mistake, Origins
from lycatra_appservice.settings_reading.model_fields import may_be_null, models_below
from lycatra_appservice.settings_reading.secret_files import SecretFiles, Secrets
from lycatra_appservice.settings_reading.yaml_tree import (
    MAX_TEXT_BYTES,
    KeyPath,
    YamlProblem,
    YamlTree,
    read_yaml,
)

DATA_FOLDER_VARIABLE = "LYCATRA_DATA_FOLDER"

ValueT = TypeVar("ValueT")
_NO_CONFIGURATION = (
    "there is no config.yaml here: `lycatra init` makes one; "
    "or copy example-config.yaml to config.yaml and fill it in, "
    "or name another file with -c or LYCATRA_CONFIG"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Plain values of everything that was written, and what is known about them so far."""

    values: dict[str, JSON]
    origins: Origins
    secrets: Secrets
    mistakes: Sequence[Mistake]
    warnings: Sequence[str]
    base_folder: Path

    @property
    def has_structure(self) -> bool:
        """False when the file could not be read at all: every setting would seem missing."""
        return not self.origins.is_broken(())


def gather(
    path: Path | None, environ: Mapping[str, str], tools: Mapping[str, type[BaseModel]]
) -> Gathered:
    """Read all there is; `path` None means the environment alone. Never raises."""
    tree = _read_file(path) if path is not None else YamlTree()
    variables, strays = read_environment(environ, WrittenSettings)
    if path is None and not variables:
        tree.problems.append(YamlProblem(0, (), _NO_CONFIGURATION))
    values = overlay(tree.values, variables)
    base_folder = path.absolute().parent if path is not None else Path.cwd()
    secrets = _fill_secrets(values, tools, base_folder)
    origins = _origins(path, tree, variables, secrets)
    _drop_empty(values, [WrittenSettings])
    if folder := environ.get(DATA_FOLDER_VARIABLE):
        _keep_data_in(folder, values)
    return Gathered(
        values=values,
        origins=origins,
        secrets=secrets,
        mistakes=[
            *(origins.unreadable(problem) for problem in tree.problems),
            *(
                origins.mistake(_file_key(place), sentence)
                for place, sentence in secrets.problems.items()
            ),
            *(Mistake(ENVIRONMENT_LINE, stray) for stray in strays),
        ],
        warnings=_mode_warnings(path, secrets, origins),
        base_folder=base_folder,
    )


def _read_file(path: Path) -> YamlTree:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            return _unreadable("is larger than 1 MiB")
        return read_yaml(content.decode("utf-8-sig"))
    except FileNotFoundError:
        return _unreadable("does not exist; example-config.yaml is one to start from")
    except OSError as error:
        return _unreadable(f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return _unreadable("is not UTF-8 text")


def _unreadable(sentence: str) -> YamlTree:
    return YamlTree(problems=[YamlProblem(0, (), sentence)])


def _fill_secrets(
    values: dict[str, JSON], tools: Mapping[str, type[BaseModel]], base_folder: Path
) -> Secrets:
    files = SecretFiles(base_folder)
    files.fill(values, [WrittenSettings])
    sections = values.get("tools")
    for name, model in tools.items():
        if isinstance(sections, dict):
            files.fill(sections.get(name), [model], ("tools", name))
    return files.secrets


def _origins(
    path: Path | None, tree: YamlTree, variables: Sequence[Variable], secrets: Secrets
) -> Origins:
    names: dict[KeyPath, str] = {variable.path: variable.name for variable in variables}
    lines = dict(tree.lines)
    for place in secrets.from_files:
        _copy_origin(names, place)
        _copy_origin(lines, place)
    return Origins(
        file=str(path) if path is not None else None,
        lines=lines,
        variables=names,
        broken={*(problem.path for problem in tree.problems), *secrets.problems},
    )


def _copy_origin(of: dict[KeyPath, ValueT], place: KeyPath) -> None:
    """A secret that came from a file stands where the name of its file stands."""
    if _file_key(place) in of:
        of[place] = of[_file_key(place)]


def _file_key(place: KeyPath) -> KeyPath:
    return (*place[:-1], f"{place[-1]}_file")


def _drop_empty(values: JSON, models: Sequence[type[BaseModel]]) -> None:
    """Read `key:` without a value as not written, as when every line below it is a comment."""
    if not isinstance(values, dict):
        return
    for name, value in list(values.items()):
        fields = [model.model_fields[name] for model in models if name in model.model_fields]
        if value is None and fields and not any(may_be_null(each.annotation) for each in fields):
            del values[name]
        else:
            _drop_empty(value, models_below(models, name))


def _keep_data_in(folder: str, values: dict[str, JSON]) -> None:
    """Put the database there unless a place is written.

    The image says this of its volume. LYCATRA_DATABASE__URL could not: it would win over what an
    operator writes into the file.
    """
    database = values.setdefault("database", {})
    if isinstance(database, dict):
        database.setdefault("url", f"sqlite:///{folder.rstrip('/')}/lycatra.db")


def _mode_warnings(path: Path | None, secrets: Secrets, origins: Origins) -> list[str]:
    if path is None or os.name != "posix" or not path.exists():
        return []
    mode = stat.S_IMODE(path.stat().st_mode)
    in_file = [
        value
        for place, value in secrets.inline.items()
        if place not in origins.variables and not value.startswith("sqlite:")
    ]
    if not in_file or not mode & 0o077:
        return []
    return [
        f"{path} holds secrets and others may read it (mode {mode:04o}): "
        f"run `chmod 600 {path}`, or keep the secrets in files of their own"
    ]
