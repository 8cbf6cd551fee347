"""What card and Croissant file say of a dataset in words, from its manifest: models, use, limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SUMMARY = (
    "Spoken dialogues made by Injected Emotional-Attribution Thinking: the user's emotion, heard from the voice, is "
    "written into the think body, and the model reasons on to its cause and answers."
)
_UNSTATED = "not stated"


class Model(NamedTuple):
    """A model that took part, in the manifest's words, which nobody has escaped."""

    roles: str
    engine: str
    name: str
    revision: str
    upstream: str
    licence: str


def models(manifest: Mapping[str, Any]) -> list[Model]:
    """Return the models of a build, each once, with all the roles that it played."""
    roles: dict[tuple[str, ...], list[str]] = {}
    for role, engine, model in _walk(manifest["engines"]):
        first, *more = map(str, model.get("origin") or [_UNSTATED])
        revision = f"{first} and {len(more)} more" if more else first
        found = (str(model["name"]), revision, *(str(model.get(k, _UNSTATED)) for k in ("upstream", "licence")))
        played = roles.setdefault((engine, *found), [])
        if role not in played:
            played.append(role)
    return [Model(", ".join(played), *found) for found, played in roles.items()]


def _walk(engines: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (role, engine, model) of all engines, and of those that they ask; a server's model has a name alone."""
    for role, one in engines.items():
        served = one.get("settings", {}).get("model")
        listed = one.get("models") or ([{"name": served}] if served else [])
        yield from ((role, one["engine"], model) for model in listed)
        yield from _walk(one.get("uses") or {})


def has_thoughts(manifest: Mapping[str, Any]) -> bool:
    """Tell whether samples of a dataset have a think body with an injected part."""
    return any(name.startswith("stage1_2") for name in manifest["configs"])


def use(manifest: Mapping[str, Any]) -> str:
    """Return what a dataset is for, in a sentence."""
    if manifest["grades"]:
        return "To try this software and trainers with. It is no training data."
    return (
        "To train spoken language models that hear an emotion, reason to its cause and answer to it, and to study them."
    )


def limits(manifest: Mapping[str, Any]) -> list[str]:
    """Return what a user must know before using a dataset: a sentence or two for each limit."""
    said = [
        f"The `{role}` engine of this build is of {grade} grade: do not train on its labels."
        for role, grade in manifest["grades"].items()
    ]
    if (n := manifest.get("pipeline", {}).get("limit")) is not None:
        said.append(f"Only the first {n} records of each source were read.")
    said += [
        "Thoughts and answers were written by a language model, and some turns were spoken by synthetic voices. Checks "
        "by program have read them all, people have not.",
        "An emotion is a model's label of a voice, not what the speaker says of it. Do not judge people by it, and "
        "take no answer for medical advice.",
        "Recorded clips are the voices of people: do not identify, imitate or profile them.",
        "It holds English and Chinese alone. The share of each emotion follows from the sources and the build's "
        "settings, not from how people feel.",
    ]
    if manifest["engines"].get("codec", {}).get("engine") == "none":
        said.append("`speech_tokens` are null: the profile of this build has no codec.")
    return said
