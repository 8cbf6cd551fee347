"""The `huggingface` metadata of the sample schema, so that `datasets` loads audio as audio without configuration."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from ieat_data.data.schema import AUDIO, SAMPLES

RATE = 16_000  # Hz, of clips that are composed here
# configs whose samples have their corpus's clips as they are: the metadata names no rate
CORPUS_RATE = frozenset({"stage2_alignment", "stage2_synthesis", "stage2_continuation"})


def feature(kind: pa.DataType, rate: int | None = RATE) -> dict[str, Any]:
    """Return the Hugging Face feature of an Arrow type. Audio stays encoded (`decode: false`): decoding needs torch.

    Args:
        kind: the type.
        rate: of clips, Hz; None: each clip's own.
    """
    if kind == AUDIO:
        return {**({"sampling_rate": rate} if rate else {}), "decode": False, "_type": "Audio"}
    if pa.types.is_struct(kind):
        return {f.name: feature(f.type, rate) for f in kind}
    if pa.types.is_list(kind):
        return {"feature": feature(kind.value_type, rate), "_type": "List"}
    return {"dtype": _dtype(kind), "_type": "Value"}


def card_features(schema: pa.Schema, rate: int | None = RATE) -> list[dict[str, Any]]:
    """Return the columns as a dataset card lists them under `dataset_info`. `rate`: as `feature` takes it."""
    return [{"name": f.name, **_in_card(f.type, rate)} for f in schema]


def _in_card(kind: pa.DataType, rate: int | None) -> dict[str, Any]:
    if kind == AUDIO:
        return {"audio": {"sampling_rate": rate, "decode": False} if rate else {"decode": False}}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": f.name, **_in_card(f.type, rate)} for f in kind]}
    if pa.types.is_list(kind):
        inner = _in_card(kind.value_type, rate)
        return {"list": next(iter(inner.values())) if inner.keys() & {"struct", "dtype"} else inner}
    return {"dtype": _dtype(kind)}


def _dtype(kind: pa.DataType) -> str:
    return {"double": "float64"}.get(str(kind), str(kind))


def with_features(schema: pa.Schema, rate: int | None = RATE) -> pa.Schema:
    """Return `schema` with the `huggingface` metadata of its columns. `rate`: as `feature` takes it."""
    features = {f.name: feature(f.type, rate) for f in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


SAMPLE_SCHEMA = with_features(SAMPLES)
CORPUS_RATE_SCHEMA = with_features(SAMPLES, None)
