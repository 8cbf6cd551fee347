"""One file per stage; `STAGES` names them all, in the order in which the README explains them."""

from __future__ import annotations

from ieat_data.stages.base import Stage
from ieat_data.stages.dialogue.inject import Inject, InjectDialogues
from ieat_data.stages.dialogue.questions import Questions, SpeakQuestions
from ieat_data.stages.dialogue.reorganise import Reorganise
from ieat_data.stages.dialogue.replies import SpeakReplies
from ieat_data.stages.dialogue.respond import Respond
from ieat_data.stages.gates.decontaminate import (
    ScreenDialogues,
    ScreenPairs,
    ScreenReplies,
    ScreenTargets,
    UniqueDialogues,
    UniqueReplies,
    UniqueTargets,
)
from ieat_data.stages.gates.llm_judge import JudgeDialogues, JudgeTargets
from ieat_data.stages.samples.compose import Empathy, Reasoning, Stage11, Trajectory
from ieat_data.stages.samples.stage2 import Alignment, Continuation, Synthesis
from ieat_data.stages.speech.emotion import Label
from ieat_data.stages.speech.ingest import Ingest, Queries
from ieat_data.stages.speech.pairs import Pairs
from ieat_data.stages.speech.select import Select
from ieat_data.stages.speech.signal_quality import Listen, ListenSpoken, Mos, SameSpeaker
from ieat_data.stages.speech.speakers import PromptClips, Speakers
from ieat_data.stages.speech.synthesize import Synthesize
from ieat_data.stages.speech.tokenize import Tokenize
from ieat_data.stages.speech.transcribe import Transcribe

STAGES: dict[str, type[Stage]] = {
    s.name: s
    for s in (
        Ingest,
        Queries,
        Select,
        PromptClips,
        Speakers,
        Synthesize,
        Listen,
        ListenSpoken,
        Mos,
        SameSpeaker,
        Transcribe,
        Respond,
        ScreenReplies,
        UniqueReplies,
        Label,
        Inject,
        ScreenTargets,
        UniqueTargets,
        JudgeTargets,
        Reorganise,
        InjectDialogues,
        ScreenDialogues,
        UniqueDialogues,
        JudgeDialogues,
        Questions,
        SpeakQuestions,
        SpeakReplies,
        Stage11,
        Reasoning,
        Empathy,
        Trajectory,
        Pairs,
        ScreenPairs,
        Tokenize,
        Alignment,
        Synthesis,
        Continuation,
    )
}

# Names that stand for several tables with the same schema, whose shards they chain.
UNIONS: dict[str, tuple[str, ...]] = {
    "utterances": ("ingest", "synthesize"),
    "heard": ("listen", "listen_spoken"),
    "targets": ("inject", "inject_dialogues"),
}

# What may be asked for beside them: a source as it is (`ieat ingest`).
SOURCE_TABLES: tuple[str, ...] = ("ingest", "queries")

# What a pipeline may ask for: the tables that go out, each a config of the dataset.
TARGETS: tuple[str, ...] = (
    "stage1_1",
    "stage1_2_reasoning",
    "stage1_2_empathy",
    "stage1_2_trajectory",
    "stage2_alignment",
    "stage2_synthesis",
    "stage2_continuation",
)
