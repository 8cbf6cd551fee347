"""From the rows of the corpora to the rows of every stage, and what each stage asks of which engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ieat_data.config import Pipeline, Profile, validate
from ieat_data.cost.corpora import Corpus
from ieat_data.cost.figures import Figures
from ieat_data.stages import STAGES
from ieat_data.stages.dialogue.questions import bank


@dataclass
class Ask:
    """What a stage asks of one engine. `audio_s`: seconds that are heard or spoken."""

    requests: float = 0.0
    audio_s: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0


@dataclass
class Load:
    """A stage: the rows that it works on, those that come out well, the seconds of audio in its table."""

    rows: float
    ok: float
    audio_s: float = 0.0
    bytes: float = 0.0
    core_s: float = 0.0
    asks: dict[str, Ask] = field(default_factory=dict)


class Funnel:
    """Fills `loads`, stage by stage, in the order of their making; a method for each stage."""

    def __init__(self, pipeline: Pipeline, profile: Profile, corpora: Sequence[Corpus], figures: Figures) -> None:
        self.pipeline, self.profile, self.corpora, self.figures = pipeline, profile, corpora, figures
        self.loads: dict[str, Load] = {}
        self._descriptor = (
            str(profile.engines["llm"].settings.get("descriptor", "")) if "llm" in profile.engines else ""
        )

    def run(self, stages: Sequence[str]) -> dict[str, Load]:
        makers: Mapping[str, Callable[[], Load]] = {
            "ingest": self._ingest,
            "queries": self._queries,
            "select": self._select,
            "synthesize": self._synthesize,
            "mos": self._mos,
            "same_speaker": self._same_speaker,
            "transcribe": self._transcribe,
            "respond": self._respond,
            "label": self._label,
            "inject": self._inject,
            "judge_targets": lambda: self._asked("judge_targets", self.loads["inject"].ok, speaks=False),
            "reorganise": self._reorganise,
            "inject_dialogues": self._inject_dialogues,
            "judge_dialogues": lambda: self._asked("judge_dialogues", self.loads["inject_dialogues"].ok, speaks=False),
            "questions": self._questions,
            "speak_questions": self._speak_questions,
            "stage1_1": self._stage1_1,
            "stage1_2_reasoning": self._reasoning,
            "stage1_2_empathy": self._empathy,
            "stage1_2_trajectory": self._trajectory,
            "speak_replies": self._speak_replies,
            "pairs": lambda: self._accepted("pairs", self.loads["ingest"].ok),
            "tokenize": self._tokenize,
            "stage2_alignment": lambda: self._pair("stage2_alignment", 1.0, 1),
            "stage2_synthesis": lambda: self._pair("stage2_synthesis", 1.0, 1),
            "stage2_continuation": lambda: self._pair("stage2_continuation", self.figures.get("follows.pairs"), 2),
        }
        for name in stages:
            if name in makers:  # the clips that give the voices are few
                load = self.loads[name] = makers[name]()
                if not STAGES[name].engines:
                    load.core_s = load.rows * self.figures.get(f"core_s.{name}")
                if load.rows and not load.bytes:
                    load.bytes = load.rows * self.figures.get(f"bytes.{name}")
        return self.loads

    def _settings(self, name: str) -> Any:
        where = f"pipeline {self.pipeline.name}: stages.{name}"
        return validate(STAGES[name].Settings, self.pipeline.stages.get(name, {}), where)

    def _accepted(self, name: str, rows: float) -> Load:
        return Load(rows, rows * self.figures.get(f"accept.{name}"))

    def _ingest(self) -> Load:
        speech = [c for c in self.corpora if c.kind == "speech"]
        load = self._accepted("ingest", sum(c.rows for c in speech))
        share = load.ok / load.rows if load.rows else 0.0
        for c in speech:
            seconds = c.rows * share * c.clip_s(self.figures)
            load.audio_s += seconds
            load.bytes += seconds * c.bytes_per_s(self.figures)
        return load

    def _queries(self) -> Load:
        return self._accepted("queries", sum(c.rows for c in self.corpora if c.kind == "text"))

    def _select(self) -> Load:
        load = self._accepted("select", self.loads["queries"].ok)
        per_source = self._settings("select").per_source
        if per_source is not None and load.rows:
            share = load.ok / sum(c.rows for c in self.corpora if c.kind == "text")
            load.ok = sum(min(per_source, c.rows * share) for c in self.corpora if c.kind == "text")
        return load

    def _spoken(self, name: str, rows: float) -> Load:
        load = self._accepted(name, rows)
        seconds, requests = self.figures.get(f"clip_s.{name}"), rows * self.figures.get(f"tries.{name}")
        load.audio_s = load.ok * seconds
        load.bytes = load.audio_s * self.figures.get(f"bytes_per_s.{name}", "bytes_per_s.spoken")
        load.asks = {role: Ask(requests, requests * seconds) for role in STAGES[name].engines}
        return load

    def _synthesize(self) -> Load:
        return self._spoken("synthesize", self.loads["select"].ok)

    def _mos(self) -> Load:
        both = [self.loads["ingest"], self.loads["synthesize"]]
        rows, audio_s = sum(x.ok for x in both), sum(x.audio_s for x in both)
        return Load(rows, rows, asks={"mos": Ask(rows, audio_s)})

    def _same_speaker(self) -> Load:
        spoken = self.loads["synthesize"]
        return Load(spoken.ok, spoken.ok, asks={"speaker": Ask(spoken.ok, spoken.audio_s)})

    def _transcribe(self) -> Load:
        recorded, spoken = self.loads["ingest"], self.loads["synthesize"]
        load = self._accepted("transcribe", recorded.ok + spoken.ok)
        load.asks["asr"] = Ask(recorded.ok, recorded.audio_s)  # what was spoken here was heard at its check
        return load

    def _asked(self, name: str, rows: float, speaks: bool = True) -> Load:
        """A stage that asks the LLM. Answers are no longer than the stage lets them be.

        A judge speaks not: its `tokens_out` are what the LLM would say in the time that it reads a request.
        """
        load = self._accepted(name, rows)
        requests = rows * self.figures.get(f"tries.{name}")
        out = self.figures.get(f"tokens_out.{name}.{self._descriptor}", f"tokens_out.{name}")
        if speaks:
            out = min(out, self._settings(name).max_tokens)
        load.asks["llm"] = Ask(requests, 0.0, requests * self.figures.get(f"tokens_in.{name}"), requests * out)
        return load

    def _left(self, name: str, judge: str) -> float:
        """Targets that are there for samples: those that a judge left, where there is one."""
        return self.loads[judge if judge in self.loads else name].ok

    def _respond(self) -> Load:
        return self._asked("respond", self.loads["transcribe"].ok)

    def _label(self) -> Load:
        load = self._accepted("label", self.loads["transcribe"].ok)
        load.asks["ser"] = Ask(load.rows, load.rows * self._clip_s())
        return load

    def _clip_s(self) -> float:
        """Seconds of the mean utterance."""
        both = [self.loads[t] for t in ("ingest", "synthesize") if t in self.loads]
        return sum(x.audio_s for x in both) / max(sum(x.ok for x in both), 1e-9)

    def _inject(self) -> Load:
        labelled, replied = self.loads["label"], self.loads["respond"]
        parents = labelled.ok * (replied.ok / replied.rows if replied.rows else 0.0)
        return self._asked("inject", parents * sum(self._targets().values()))

    def _targets(self) -> dict[str, float]:
        """Targets asked for by task, for each utterance with a reply and a label."""
        s = self._settings("inject")
        neutral = self.figures.get("neutral.inject") if min(s.neutral_share, s.neutral_reasoning_share) < 1 else 0.0
        used = neutral * s.neutral_share
        return {
            "reasoning": (1 - neutral + used * s.neutral_reasoning_share) * s.reasoning_share,
            "empathy": (1 - neutral + used) * s.empathy_share,
        }

    def _injected(self, task: str) -> float:
        """Accepted single-turn targets of a task."""
        targets = self._targets()
        return self._left("inject", "judge_targets") * targets[task] / max(sum(targets.values()), 1e-9)

    def _reorganise(self) -> Load:
        used = self._in_dialogues()
        return Load(used / self._turns(), used / self._turns())

    def _in_dialogues(self) -> float:
        """Empathy samples that become turns of dialogues."""
        share = float(self._settings("reorganise").share)
        return self._injected("empathy") * share * self.figures.get("used.reorganise")

    def _turns(self) -> float:
        mix: Mapping[int, float] = self._settings("reorganise").turns
        return sum(n * w for n, w in mix.items()) / sum(mix.values())

    def _dialogue_shares(self) -> dict[str, float]:
        s = self._settings("inject_dialogues")
        anew = float(self._settings("reorganise").last_reply == "regenerate")
        return {"trajectory": s.trajectory_share, "reasoning": s.reasoning_share, "empathy": anew}

    def _inject_dialogues(self) -> Load:
        return self._asked("inject_dialogues", self.loads["reorganise"].ok * sum(self._dialogue_shares().values()))

    def _over_dialogues(self, task: str) -> float:
        """Accepted targets of a task over dialogues."""
        shares = self._dialogue_shares()
        return self._left("inject_dialogues", "judge_dialogues") * shares[task] / max(sum(shares.values()), 1e-9)

    def _questions(self) -> Load:
        """The distinct pairs of n draws out of k: k (1 - (1 - 1/k)^n)."""
        languages = sorted({c.language for c in self.corpora})
        drawn = {"reasoning": self._injected("reasoning") + self._over_dialogues("reasoning")}
        drawn["trajectory"] = self._over_dialogues("trajectory")
        distinct = 0.0
        for task, n in drawn.items():
            for language in languages:
                voices = min(len(self.profile.voices(language)) or self.pipeline.speakers, self.pipeline.speakers)
                pairs = len(bank(task, language, self.pipeline.instructions.statuses)) * voices
                distinct += pairs * (1 - (1 - 1 / pairs) ** (n / len(languages)))
        return Load(distinct, distinct)

    def _speak_questions(self) -> Load:
        return self._spoken("speak_questions", self.loads["questions"].ok)

    def _sample(self, name: str, singles: float, dialogues: float, question: bool) -> Load:
        asked = self.loads["speak_questions"]
        heard = (asked.ok / asked.rows if asked.rows else 0.0) if question else 1.0
        rows = (singles + dialogues) * heard
        gap_s = sum(self.pipeline.instructions.gap_s) / 2
        more_s = self.figures.get("clip_s.speak_questions") + gap_s if question else 0.0
        seconds = (singles * self._clip_s() + dialogues * self._turns() * self._clip_s()) * heard + rows * more_s
        return Load(rows, rows, seconds, seconds * self.figures.get(f"bytes_per_s.{name}", "bytes_per_s.samples"))

    def _speak_replies(self) -> Load:
        part = float(self._settings("speak_replies").share)
        return self._spoken("speak_replies", (self._injected("empathy") + self._over_dialogues("empathy")) * part)

    def _tokenize(self) -> Load:
        load = self._accepted("tokenize", self.loads["pairs"].ok)
        load.asks["codec"] = Ask(load.rows, load.rows * self._clip_s())
        return load

    def _pair(self, name: str, of_rows: float, clips: int) -> Load:
        """Samples of stage 2: clips as they came, `clips` of them in each."""
        rows = self.loads["tokenize"].ok * of_rows * float(self._settings(name).share)
        seconds, heard = rows * clips * self._clip_s(), self.loads["ingest"]
        return Load(rows, rows, seconds, seconds * heard.bytes / max(heard.audio_s, 1e-9))

    def _stage1_1(self) -> Load:
        seconds = self.loads["respond"].ok * self._clip_s()
        size = seconds * self.figures.get("bytes_per_s.stage1_1", "bytes_per_s.samples")
        return Load(self.loads["respond"].ok, self.loads["respond"].ok, seconds, size)

    def _reasoning(self) -> Load:
        return self._sample(
            "stage1_2_reasoning", self._injected("reasoning"), self._over_dialogues("reasoning"), question=True
        )

    def _empathy(self) -> Load:
        anew = self._settings("reorganise").last_reply == "regenerate"
        dialogues = self._over_dialogues("empathy") if anew else self.loads["reorganise"].ok
        return self._sample(
            "stage1_2_empathy", self._injected("empathy") - self._in_dialogues(), dialogues, question=False
        )

    def _trajectory(self) -> Load:
        return self._sample("stage1_2_trajectory", 0.0, self._over_dialogues("trajectory"), question=True)
