"""One file per stage; `STAGES` names them all, in the order in which the README explains them."""

from __future__ import annotations

from ieat_data.stages.base import Stage
from ieat_data.stages.compose import Empathy, Reasoning, Stage11, Trajectory
from ieat_data.stages.ingest import Ingest, Queries
from ieat_data.stages.inject import Inject, InjectDialogues
from ieat_data.stages.instructions import Questions, SpeakQuestions
from ieat_data.stages.judge import JudgeDialogues, JudgeTargets
from ieat_data.stages.label import Label
from ieat_data.stages.listen import Listen, ListenSpoken, Mos, SameSpeaker
from ieat_data.stages.pairs import Pairs
from ieat_data.stages.reorganise import Reorganise
from ieat_data.stages.replies import SpeakReplies
from ieat_data.stages.respond import Respond
from ieat_data.stages.screen import (
    ScreenDialogues,
    ScreenPairs,
    ScreenReplies,
    ScreenTargets,
    UniqueDialogues,
    UniqueReplies,
    UniqueTargets,
)
from ieat_data.stages.select import Select
from ieat_data.stages.speakers import PromptClips, Speakers
from ieat_data.stages.stage2 import Alignment, Continuation, Synthesis
from ieat_data.stages.synthesize import Synthesize
from ieat_data.stages.tokenize import Tokenize
from ieat_data.stages.transcribe import Transcribe

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
