"""The `huggingface` metadata of the sample schema, so that `datasets` reads audio as audio without being told."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from ieat_data.data.schema import AUDIO, SAMPLES


def feature(kind: pa.DataType) -> dict[str, Any]:
    """The Hugging Face feature of an Arrow type. Audio is left encoded (`decode: false`): decoding needs torch."""
    if kind == AUDIO:
        return {"sampling_rate": 16000, "decode": False, "_type": "Audio"}
    if pa.types.is_struct(kind):
        return {f.name: feature(f.type) for f in kind}
    if pa.types.is_list(kind):
        return {"feature": feature(kind.value_type), "_type": "List"}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def with_features(schema: pa.Schema) -> pa.Schema:
    features = {f.name: feature(f.type) for f in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


SAMPLE_SCHEMA = with_features(SAMPLES)
