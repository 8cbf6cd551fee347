"""UltraChat: JSON lines `{"id", "data": [user, assistant, user, …]}`, as stingning/ultrachat has them."""

from __future__ import annotations

from typing import Any

from ieat_data.sources.json_records import FieldError, JsonReader


class UltraChatReader(JsonReader):
    """`**/*.jsonl` and `**/*.json` below the root. The query is the first item; odd numbers of turns occur."""

    @staticmethod
    def extract(record: dict[str, Any]) -> Any:
        turns = record.get("data")
        if not isinstance(turns, list) or not turns:
            raise FieldError("bad_field", "no list `data` of turns")
        return turns[0]
