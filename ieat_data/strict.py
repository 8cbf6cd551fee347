"""YAML files as strict models: a wrong key or value is one line, with the key that was probably meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ieat_data.errors import UserError, did_you_mean
from ieat_data.renamed import RENAMED_KEYS, now_called

M = TypeVar("M", bound=BaseModel)
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, if PyYAML was built with libyaml


class Strict(BaseModel):
    """A block of configuration: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def explain(error: ValidationError, where: str, model: type[BaseModel]) -> UserError:
    """Return a validation error as one line: file, key, what is wrong, and the key that was probably meant."""
    # a misspelt key explains the missing one
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    loc = [str(p) for p in first["loc"]]
    key = ".".join(loc)
    if first["type"] == "extra_forbidden" and (now := now_called(loc[-1], RENAMED_KEYS)):
        return UserError(f"{where}: {now}")
    if first["type"] == "extra_forbidden":
        return UserError(f"{where}: unknown key {key!r}{did_you_mean(loc[-1], _known_keys(model, loc[:-1]))}")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    said = first["msg"].removeprefix("Value error, ")
    if not loc:  # what concerns several keys names them itself
        return UserError(f"{where}: {said}{more}")
    return UserError(f"{where}: {key}: {said}, got {first.get('input')!r}{more}")


def _known_keys(model: type[BaseModel], loc: Sequence[str]) -> list[str]:
    for part in loc:
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        nested = [
            a for a in (inner, *getattr(inner, "__args__", ())) if isinstance(a, type) and issubclass(a, BaseModel)
        ]
        if nested:
            model = nested[0]
    return list(model.model_fields)


def validate(model: type[M], data: Any, where: str) -> M:
    """Build a model from parsed YAML.

    Raises:
        UserError: the first fault, beginning with `where`.
    """
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: expected keys with values, found {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as e:
        raise explain(e, where, model) from None


def parsed_yaml(text: str) -> Any:
    """Return what a text says in YAML, without its types that run code."""
    return yaml.load(text, _YAML)


def read_yaml(path: Path) -> dict[str, Any]:
    """Parse a YAML file that holds a mapping.

    Raises:
        UserError: it cannot be read, is not YAML, or holds something else.
    """
    try:
        data = parsed_yaml(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UserError(f"{path}: cannot be read: {e.strerror}") from None
    except RecursionError:
        raise UserError(f"{path}: not YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as e:  # ValueError: a date or a number that is none, bytes that are not UTF-8
        raise UserError(f"{path}: not YAML: {' '.join(str(e).split())}") from None
    if not isinstance(data, dict):
        raise UserError(
            f"{path}: expected keys with values, found {'nothing' if data is None else type(data).__name__}"
        )
    return data


def override(data: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Apply `key.sub=value` assignments (values are YAML) to a mapping."""
    for text in assignments:
        key, eq, value = text.partition("=")
        if not eq or not key:
            raise UserError(f"--set {text!r}: expected key=value, e.g. --set seed=1")
        node = data
        *parents, last = key.split(".")
        for part in parents:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise UserError(f"--set {text!r}: {part!r} holds a value, not keys")
        try:
            node[last] = parsed_yaml(value)
        except yaml.YAMLError:
            raise UserError(f"--set {text!r}: the value is not YAML") from None
    return data


def lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings; `above` wins, key by key. A block with another `engine` inherits nothing."""
    merged = {**below}
    for key, value in above.items():
        under = below.get(key)
        both = isinstance(under, dict) and isinstance(value, dict)
        if both and value.get("engine", under.get("engine")) == under.get("engine"):  # type: ignore[union-attr]
            merged[key] = lay_over(under, value)  # type: ignore[arg-type]
        else:
            merged[key] = value
    return merged
