"""The `huggingface` metadata of the sample schema, so that `datasets` loads audio as audio without configuration."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from ieat_data.data.schema import AUDIO, SAMPLES


def feature(kind: pa.DataType) -> dict[str, Any]:
    """Return the Hugging Face feature of an Arrow type. Audio stays encoded (`decode: false`): decoding needs torch."""
    if kind == AUDIO:
        return {"sampling_rate": 16000, "decode": False, "_type": "Audio"}
    if pa.types.is_struct(kind):
        return {f.name: feature(f.type) for f in kind}
    if pa.types.is_list(kind):
        return {"feature": feature(kind.value_type), "_type": "List"}
    return {"dtype": _dtype(kind), "_type": "Value"}


def card_features(schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the columns as a dataset card lists them under `dataset_info`."""
    return [{"name": f.name, **_in_card(f.type)} for f in schema]


def _in_card(kind: pa.DataType) -> dict[str, Any]:
    if kind == AUDIO:
        return {"audio": {"sampling_rate": 16000, "decode": False}}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": f.name, **_in_card(f.type)} for f in kind]}
    if pa.types.is_list(kind):
        inner = _in_card(kind.value_type)
        return {"list": next(iter(inner.values())) if inner.keys() & {"struct", "dtype"} else inner}
    return {"dtype": _dtype(kind)}


def _dtype(kind: pa.DataType) -> str:
    return {"double": "float64"}.get(str(kind), str(kind))


def with_features(schema: pa.Schema) -> pa.Schema:
    """Return `schema` with the `huggingface` metadata of its columns."""
    features = {f.name: feature(f.type) for f in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


SAMPLE_SCHEMA = with_features(SAMPLES)
