"""What a build would cost, stage by stage: the terms in which a stage answers `estimate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ieat_data.config import Pipeline, Profile


@dataclass
class Ask:
    """A stage's requests to one engine. `audio_s`: seconds of input clips or of spoken ones."""

    requests: float = 0.0
    audio_s: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0


@dataclass
class Load:
    """The load of a stage.

    The rows that it processes, those that pass, the seconds of audio and the bytes of its table, and the seconds of one
    core if it asks no engine.
    """

    rows: float
    ok: float
    audio_s: float = 0.0
    bytes: float = 0.0
    core_s: float = 0.0
    asks: dict[str, Ask] = field(default_factory=dict)


class Figures(Protocol):
    """Numbers for a forecast, by name."""

    def get(self, *names: str) -> float:
        """Return the first of `names` that is known.

        Raises:
            KeyError: none is known.
        """
        ...


class Corpus(Protocol):
    """A source and its size."""

    @property
    def kind(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def rows(self) -> int: ...
    def clip_s(self, figures: Any) -> float: ...
    def bytes_per_s(self, figures: Any) -> float: ...


class Configured(Protocol):
    """A stage with the settings that a pipeline gives it."""

    settings: Any


@dataclass
class Forecast:
    """What a stage may use for its estimate.

    Figures, corpora, the stages of the pipeline with their settings, and the loads of the stages before it.
    """

    pipeline: Pipeline
    profile: Profile
    corpora: Sequence[Corpus]
    figures: Figures
    stages: Mapping[str, Configured]
    unions: Mapping[str, tuple[str, ...]]
    gates: Mapping[str, tuple[str, ...]]  # table → the gates that reject rows of it, in order
    loads: dict[str, Load] = field(default_factory=dict)

    def accepted(self, name: str, rows: float) -> Load:
        """Return the load of a stage that passes a known share of its rows."""
        return Load(rows, rows * self.figures.get(f"accept.{name}"))

    def union(self, name: str) -> Load:
        """Return rows and seconds of audio of all tables that a name stands for, as far as they are made."""
        loads = [self.loads[t] for t in self.unions.get(name, (name,)) if t in self.loads]
        return Load(*(sum(getattr(x, f) for x in loads) for f in ("rows", "ok", "audio_s")))

    def left(self, table: str) -> float:
        """Return the rows of a table that are left for samples: those that its last gate passes."""
        return [self.loads[t].ok for t in (table, *self.gates.get(table, ())) if t in self.loads][-1]

    def clip_s(self) -> float:
        """Return the mean length of an utterance in seconds."""
        clips = self.union("utterances")
        return clips.audio_s / max(clips.ok, 1e-9)

    def spoken(self, name: str, rows: float, roles: Sequence[str]) -> Load:
        """Return the load of a stage that has texts spoken and checks the clips."""
        load = self.accepted(name, rows)
        seconds, requests = self.figures.get(f"clip_s.{name}"), rows * self.figures.get(f"tries.{name}")
        load.audio_s = load.ok * seconds
        load.bytes = load.audio_s * self.figures.get(f"bytes_per_s.{name}", "bytes_per_s.spoken")
        load.asks = {role: Ask(requests, requests * seconds) for role in roles}
        return load

    def llm(self, name: str, rows: float, most_tokens: float | None) -> Load:
        """Return the load of a stage that asks the LLM. `most_tokens`: the maximum length of an answer.

        None: nothing is generated, and `tokens_out` is what the LLM would say in the time that it reads a request.
        """
        load = self.accepted(name, rows)
        engine = self.profile.engines.get("llm")
        descriptor = str(engine.settings.get("descriptor", "")) if engine else ""
        requests = rows * self.figures.get(f"tries.{name}")
        out = self.figures.get(f"tokens_out.{name}.{descriptor}", f"tokens_out.{name}")
        if most_tokens is not None:
            out = min(out, most_tokens)
        load.asks["llm"] = Ask(requests, 0.0, requests * self.figures.get(f"tokens_in.{name}"), requests * out)
        return load
