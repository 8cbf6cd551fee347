"""Tables of the keys that a pydantic model takes."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from scripts.reference.markdown import bare, code, sentence, table

_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "any", type(None): "null"}
_LIMITS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


def keys(model: type[BaseModel], skip: Sequence[str] = ()) -> str:
    """Return the keys of `model` as a table, nested blocks with dotted names. `skip`: keys that need no line."""
    rows = [row for row in _rows(model, "") if row[0].strip("`") not in skip]
    return table(("key", "type", "default", "meaning"), rows)


def lacking(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the keys that say nothing of themselves."""
    found = []
    for name, field in model.model_fields.items():
        inner = _block(field.annotation)
        if inner:
            found += lacking(inner, f"{prefix}{name}.")
        elif not field.description:
            found.append(prefix + name)
    return found


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        key = prefix + name
        inner = _block(field.annotation)
        said = field.description or (inner.__doc__ if inner else "") or ""
        kind = "block" if inner else _type(field.annotation) + _limits(field)
        yield code(key), kind, _default(field, inner), bare(sentence(said))
        if inner:
            yield from _rows(inner, f"{key}.")


def _block(annotation: Any) -> type[BaseModel] | None:
    """The model behind `Model` or `Model | None`."""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    found = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
    return found[0] if found else None


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "block"
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(args[0])
    if origin is Literal:
        return " or ".join(code(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(a) for a in args)
    if origin is list or (origin is tuple and args[-1:] == (...,)):
        return f"list of {_type(args[0])}"
    if origin is tuple:
        return f"[{', '.join(_type(a) for a in args)}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_type(args[0])}: {_type(args[1])}"
    return code(getattr(annotation, "__name__", annotation))


def _limits(field: FieldInfo) -> str:
    found = [
        f"{sign} {limit}" for m in field.metadata for at, sign in _LIMITS if (limit := getattr(m, at, None)) is not None
    ]
    found += [code(m.pattern) for m in field.metadata if getattr(m, "pattern", None)]
    return f" ({', '.join(found)})" if found else ""


def _default(field: FieldInfo, inner: type[BaseModel] | None) -> str:
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    if inner and value is not None:
        return ""
    return code(plain(value))


def plain(value: Any) -> str:
    """Return a default as YAML says it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(plain(v) for v in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{plain(k)}: {plain(v)}" for k, v in value.items()) + "}"
    return str(value) if value != "" else '""'
