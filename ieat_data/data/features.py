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
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def with_features(schema: pa.Schema) -> pa.Schema:
    """Return `schema` with the `huggingface` metadata of its columns."""
    features = {f.name: feature(f.type) for f in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


SAMPLE_SCHEMA = with_features(SAMPLES)
