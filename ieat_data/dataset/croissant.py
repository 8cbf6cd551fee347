"""`croissant.json`: the dataset in the words of MLCommons Croissant 1.1, for tools that know nothing of us.

Each shard is a file with its hash, each config a set of files and a set of records. Paths are relative to the folder.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from ieat_data.data import schema
from ieat_data.data.columns import Kind, columns
from ieat_data.data.rows import Sample
from ieat_data.dataset import about

CROISSANT = "croissant.json"
_PARQUET = "application/x-parquet"
_TYPES = {pa.string(): "sc:Text", pa.int32(): "cr:Int32", pa.int64(): "cr:Int64", pa.float64(): "cr:Float64",
          pa.bool_(): "sc:Boolean"}  # fmt: skip
_ARRAY = {"isArray": True, "arrayShape": "-1"}
_CITE = (
    "Wang et al.: A Unified Spoken Language Model with Injected Emotional-Attribution Thinking for Human-like "
    "Interaction. arXiv:2601.04960, 2026"
)
_TERMS = (
    "citeAs", "column", "containedIn", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "arrayShape", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
    "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
    "equivalentProperty",
)  # fmt: skip
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in sorted(_TERMS)},
}


def render(manifest: Mapping[str, Any]) -> str:
    """Return the file's text. `manifest`: as `manifest.make` returns it."""
    return json.dumps(_dataset(manifest), indent=1, ensure_ascii=False) + "\n"


def _dataset(manifest: Mapping[str, Any]) -> dict[str, Any]:
    configs = list(manifest["configs"])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": f"IEAT {manifest['name']}",
        "description": about.SUMMARY,
        "inLanguage": sorted(manifest["counts"]["language"]),
        "license": list(dict.fromkeys(f"{s['name']}: {s['licence']}; {s['terms']}" for s in manifest["sources"])),
        "version": f"{schema.VERSION}.0.0+{manifest['content_digest'][:12]}",
        "citeAs": _CITE,
        "rai:dataUseCases": about.use(manifest),
        "rai:dataLimitations": about.limits(manifest),
        "distribution": [*map(_file, manifest["shards"]), *(_files(c, manifest["shards"]) for c in configs)],
        "recordSet": [_records(c) for c in configs],
    }


def _file(shard: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": shard["path"],
        "name": shard["path"],
        "contentUrl": shard["path"],
        "contentSize": f"{shard['bytes']} B",
        "encodingFormat": _PARQUET,
        "sha256": shard["sha256"],
    }


def _files(config: str, shards: Any) -> dict[str, Any]:
    """Return the files of a config by name: a pattern would take in those of another generation."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}-files",
        "name": f"{config}-files",
        "encodingFormat": _PARQUET,
        "includes": [glob.escape(s["path"]) for s in shards if s["config"] == config],
    }


def _records(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": f"The samples of {config}, one a row.",
        "key": {"@id": f"{config}/id"},
        "field": [_column(config, name, kind) for name, kind in columns(Sample).items()],
    }


def _column(config: str, name: str, kind: Kind) -> dict[str, Any]:
    """Return the field of a column."""
    row = _struct(kind)
    field = {"@type": "cr:Field", "@id": f"{config}/{name}", "name": name, "description": kind.words}
    if kind.arrow.equals(pa.list_(schema.AUDIO)):
        return {**field, "dataType": "sc:AudioObject", **_ARRAY, "source": _extracted(config, name, ("bytes",))}
    if not row:
        return {**field, "dataType": _TYPES[kind.arrow], "source": _extracted(config, name, ())}
    unreached: list[str] = []
    leaves = list(_leaves(config, name, row, (), bool(kind.item), unreached))
    if unreached:
        field["description"] += f". Only in the Parquet column itself: {', '.join(unreached)}"
    return {**field, **(_ARRAY if kind.item else {}), "subField": leaves}


def _leaves(
    config: str, column: str, row: type[Any], path: tuple[str, ...], many: bool, unreached: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield the fields of a struct's leaves, each reached by one JSON path a level.

    Args:
        config: of the records.
        column: in which they lie.
        row: the class of the struct.
        path: the names that lead to it.
        many: whether it is one of a list.
        unreached: gets the names of lists of structs inside a list: there Croissant's paths end.
    """
    for name, kind in columns(row).items():
        inner, here = _struct(kind), (*path, name)
        if inner and many and kind.item:
            unreached.append(".".join(here))
        elif inner:
            yield from _leaves(config, column, inner, here, many or bool(kind.item), unreached)
        else:
            yield {
                "@type": "cr:Field",
                "@id": f"{config}/{column}/{'.'.join(here)}",
                "name": ".".join(here),
                "description": kind.words,
                "dataType": _TYPES[(kind.item or kind).arrow],
                **(_ARRAY if kind.item else {}),
                "source": _extracted(config, column, here),
            }


def _struct(kind: Kind) -> type[Any] | None:
    """Return the row class of a struct or of a list of structs."""
    return kind.row or (kind.item.row if kind.item else None)


def _extracted(config: str, column: str, path: tuple[str, ...]) -> dict[str, Any]:
    steps = [{"jsonPath": step} for step in path]
    return {
        "fileSet": {"@id": f"{config}-files"},
        "extract": {"column": column},
        **({"transform": steps} if steps else {}),
    }
