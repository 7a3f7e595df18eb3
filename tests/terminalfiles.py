# SPDX-License-Identifier: Apache-2.0
"""Configurations of terminals for tests: the shipped one as a table, changed, and written again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.config_file import SHIPPED, load_config, parse_config

Path = tuple[str | int, ...]


@cache
def shipped() -> TerminalConfig:
    return load_config()


def shipped_table() -> dict[str, Any]:
    text = files("host.terminal.kernel").joinpath(SHIPPED).read_text(encoding="utf-8")
    return tomllib.loads(text)


def schema() -> dict[str, Any]:
    text = files("host.terminal.kernel").joinpath("terminal.schema.json")
    found: dict[str, Any] = json.loads(text.read_text(encoding="utf-8"))
    return found


def keyless_table() -> dict[str, Any]:
    """The shipped one with one CA key, of RSA: quick to load."""
    table = shipped_table()
    del table["sm2_ca_keys"]
    table["ca_keys"] = table["ca_keys"][:1]
    table["revoked"] = [{"rid": "A000000333", "index": "80", "serial": "000001"}]
    table["exceptions"] = ["6228000100001117"]
    return table


def changed(table: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """With another value there; what is not there yet is added."""
    found = deepcopy(dict(table))
    at: Any = found
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return found


def without(table: Mapping[str, Any], path: Path) -> dict[str, Any]:
    found = deepcopy(dict(table))
    at: Any = found
    for part in path[:-1]:
        at = at[part]
    del at[path[-1]]
    return found


def config_of(table: Mapping[str, Any]) -> TerminalConfig:
    return parse_config(written(table))


def config_with(**settings: Any) -> TerminalConfig:
    """The shipped configuration with other settings, named `table__name`; those of the one
    application are `application__name`, and None takes a setting away."""
    table = shipped_table()
    for name, value in settings.items():
        first, _, rest = name.partition("__")
        at = table["applications"][0] if first == "application" else table[first]
        if value is None:
            del at[rest]
        else:
            at[rest] = value
    return config_of(table)


def written(table: Mapping[str, Any]) -> str:
    """A table as TOML, each value in its inline form."""
    return "\n".join(f"{_key(name)} = {_value(value)}" for name, value in table.items())


def _key(name: str) -> str:
    return json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items())
        return f"{{{inside}}}"
    return repr(value)


def paths(table: Any, above: Path = ()) -> list[Path]:
    """Where every value stands, tables and lists among them."""
    found: list[Path] = []
    names = table if isinstance(table, dict) else range(len(table))
    for name in names:
        here = (*above, name)
        found.append(here)
        if isinstance(table[name], dict | list):
            found += paths(table[name], here)
    return found


def place(path: Path) -> str:
    """A path as errors name it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
