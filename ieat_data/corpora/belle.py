"""BELLE train_3.5M_CN: `{"id", "conversations": [{"from": "human", "value"}, {"from": "assistant", "value"}, …]}`."""

from __future__ import annotations

from typing import Any

from ieat_data.corpora.io.json_records import FieldError, JsonReader


class BelleReader(JsonReader):
    """Reads `**/*.json` and `**/*.jsonl` below the root: JSON lines or one array. The query is the first human turn."""

    @staticmethod
    def extract(record: dict[str, Any]) -> Any:
        turns = record.get("conversations")
        if not isinstance(turns, list) or not turns or not isinstance(turns[0], dict):
            raise FieldError("bad_field", "there is no list `conversations` of turns")
        if turns[0].get("from") != "human":
            raise FieldError("not_user_first", "the first turn of `conversations` is not `from` `human`")
        return turns[0].get("value")
