"""How far a rejected row was from the limit that it missed, and how many more rows another limit would let pass."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ieat_data.apps.report.checks import LOOKS
from ieat_data.apps.report.view import StageView, View
from ieat_data.apps.report.why import pair_of
from ieat_data.checks.query import Query as Asked
from ieat_data.checks.query import QueryLimits
from ieat_data.checks.speech import error_rate
from ieat_data.stages import STAGES
from ieat_data.stages.gates.dedup import KINDS

_MOST = 2000  # values kept of one limit; beyond them they are rounded to as many steps
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

# reason → the setting that it missed, and the measure
_LIMITED = {
    **{r: (s, name) for name, look in LOOKS.items() for s, r in zip(look.limits, look.reasons, strict=True)},
    "too_short_audio": ("min_s", "seconds"),
    "too_long_audio": ("max_s", "seconds"),
    "low_dnsmos": ("min_dnsmos", "dnsmos"),
    "low_confidence": ("min_score", "confidence"),
    "judged_low": ("min_score", "score"),
}


class Limits:
    """The limits of a build's stages, and the values of the rows that missed them; shards are added one by one."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], Counter[float]] = {}
        self._about: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._settings: dict[str, Mapping[str, Any]] = {}

    def missed(self, view: View, stage: StageView, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Count a rejected row, as `Rejects` yields it; return what it missed, or None if that is no number."""
        if stage.name not in self._settings:  # once, not for each row
            self._settings[stage.name] = _settings(view, stage.name)
        found = _missed(view, self._settings[stage.name], row)
        if found is None:
            return None
        setting, measure, value, limit = found
        name = (stage.name, str(row["reason"]), setting)
        value = float(f"{value:.5g}")
        self._values.setdefault(name, Counter())[value] += 1
        about = {"stage": stage.name, "reason": row["reason"], "setting": setting, "measure": measure, "limit": limit}
        self._about[name] = about
        return {**about, "value": value}

    def plain(self) -> list[dict[str, Any]]:
        """Return each limit with the values that missed it: (value, rows), the nearest to the limit first."""
        found = []
        for name, about in self._about.items():
            values = sorted(_coarse(self._values[name]).items(), reverse=about["setting"].startswith("min"))
            found.append({**about, "values": values})
        return found


def _coarse(values: Counter[float]) -> Counter[float]:
    if len(values) <= _MOST:
        return values
    low, high = min(values), max(values)
    step = (high - low) / _MOST
    rounded: Counter[float] = Counter()
    for value, n in values.items():
        rounded[float(f"{low + round((value - low) / step) * step:.5g}")] += n
    return rounded


def _missed(view: View, settings: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, str, float, float] | None:
    """Return the setting, what it limits, the row's value and the limit."""
    reason, payload = row["reason"], row["payload"]
    if reason in ("too_long", "too_short") and isinstance(payload, dict) and isinstance(payload.get("payload"), str):
        return _length(reason, payload["payload"], payload.get("language") or "en")
    if reason == "near_duplicate" and (found := re.search(r": (\w+) (\d\.\d+)$", row["message"])):
        limit = (view.made["pipeline"].get("near_duplicates") or {}).get(found[1]) if found[1] in KINDS else None
        return None if limit is None else (f"near_duplicates.{found[1]}", "similarity", float(found[2]), float(limit))
    if reason not in _LIMITED:
        return None
    setting, measure = _LIMITED[reason]
    judge = view.made["pipeline"].get("judge") or {}
    limit = judge.get(setting) if reason == "judged_low" else settings.get(setting)
    value = _value(row, measure)
    return None if value is None or limit is None else (setting, measure, value, float(limit))


def _length(reason: str, text: str, language: str) -> tuple[str, str, float, float]:
    setting = f"{'max' if reason == 'too_long' else 'min'}_{'zh' if language == 'zh' else 'en'}"
    unit = "characters" if language == "zh" else "words"
    return setting, unit, float(Asked(text, language).length), float(getattr(QueryLimits(), setting))


def _value(row: Mapping[str, Any], measure: str) -> float | None:
    payload = row["payload"] if isinstance(row["payload"], dict) else {}
    if measure == "error_rate" and (pair := pair_of(row)):
        return error_rate(*pair)
    if measure == "confidence":
        scores = [x for x in payload.values() if isinstance(x, float)]
        return max(scores, default=None)
    if isinstance(payload.get(measure), (int, float)):
        return float(payload[measure])
    said = _NUMBER.search(row["message"])
    return float(said[0]) if said and not row["message"].startswith("over ") else None


def _settings(view: View, name: str) -> Mapping[str, Any]:
    """Return a stage's settings, its limits of clips among them."""
    stage = STAGES.get(name)
    if stage is None:
        return {}
    try:
        given = stage.Settings.model_validate(view.made["pipeline"]["stages"].get(stage.key or name, {}))
    except ValidationError:  # the manifest of another version
        return {}
    settings = given.model_dump()
    return {**settings, **(settings.get("limits") or {})}
