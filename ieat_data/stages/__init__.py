"""One file per stage; `STAGES` names them all, in the order in which the README explains them."""

from __future__ import annotations

from ieat_data.stages.base import Stage
from ieat_data.stages.dialogue.appraise import Appraise
from ieat_data.stages.dialogue.inject import Inject
from ieat_data.stages.dialogue.inject_dialogues import InjectDialogues
from ieat_data.stages.dialogue.kind import Kind
from ieat_data.stages.dialogue.questions import Questions, SpeakQuestions
from ieat_data.stages.dialogue.reorganise import Reorganise
from ieat_data.stages.dialogue.replies import SpeakReplies
from ieat_data.stages.dialogue.respond import Respond
from ieat_data.stages.dialogue.write_turns import WriteTurns
from ieat_data.stages.dialogue.written import (
    EmotionTurns,
    InjectTurns,
    SpeakTurns,
    TranscribeTurns,
    WrittenSignalQuality,
)
from ieat_data.stages.gates.decontaminate import Decontaminate
from ieat_data.stages.gates.dedup import Deduplicate
from ieat_data.stages.gates.llm_judge import LlmJudge
from ieat_data.stages.samples.contrastive import Contrastive
from ieat_data.stages.samples.empathy import Empathy
from ieat_data.stages.samples.reasoning_trajectory import Questioned
from ieat_data.stages.samples.response import Response
from ieat_data.stages.samples.stage2 import Alignment, Continuation, Synthesis
from ieat_data.stages.speech.emotion import Emotion
from ieat_data.stages.speech.ingest import Ingest, Queries
from ieat_data.stages.speech.intent import Intent
from ieat_data.stages.speech.mos import Mos
from ieat_data.stages.speech.pairs import Pairs
from ieat_data.stages.speech.same_speaker import SameSpeaker
from ieat_data.stages.speech.select import Select
from ieat_data.stages.speech.signal_quality import SignalQuality
from ieat_data.stages.speech.speakers import PromptClips, Speakers
from ieat_data.stages.speech.synthesize import Synthesize
from ieat_data.stages.speech.tokenize import Tokenize
from ieat_data.stages.speech.transcribe import Transcribe

STAGES: dict[str, Stage] = {
    s.name: s
    for s in (
        Ingest(),
        Queries(),
        Select(),
        PromptClips(),
        Speakers(),
        Intent(),
        Synthesize(),
        SignalQuality("recorded_signal_quality", of="ingest", clips="recorded"),
        SignalQuality("synthesized_signal_quality", of="synthesize", clips="spoken"),
        Mos(),
        SameSpeaker(),
        Transcribe(),
        Respond(),
        Decontaminate(of="respond"),
        Deduplicate(of="respond"),
        Emotion(),
        Appraise(),
        Kind(),
        Inject(),
        Decontaminate(of="inject"),
        Deduplicate(of="inject"),
        LlmJudge(of="inject"),
        WriteTurns(),
        SpeakTurns(),
        WrittenSignalQuality(),
        TranscribeTurns(),
        EmotionTurns(),
        InjectTurns(),
        Decontaminate(of="inject_turns"),
        Deduplicate(of="inject_turns"),
        LlmJudge(of="inject_turns"),
        Reorganise(),
        InjectDialogues(),
        Decontaminate(of="inject_dialogues"),
        Deduplicate(of="inject_dialogues"),
        LlmJudge(of="inject_dialogues"),
        Questions(),
        SpeakQuestions(),
        SpeakReplies(),
        SpeakReplies("speak_turn_replies", of="inject_turns"),
        Response(),
        Questioned("reasoning"),
        Empathy(),
        Contrastive(),
        Questioned("trajectory"),
        Pairs(),
        Decontaminate(of="pairs"),
        Tokenize(),
        Alignment(),
        Synthesis(),
        Continuation(),
    )
}

# Names for several tables with the same schema, whose shards they chain.
UNIONS: dict[str, tuple[str, ...]] = {
    "utterances": ("ingest", "synthesize"),
    "signal_quality": ("recorded_signal_quality", "synthesized_signal_quality"),
    "targets": ("inject", "inject_dialogues"),
}

# What else may be built, by kind of corpus: a source as it is (`ieat ingest`).
SOURCE_TABLES: dict[str, str] = {"speech": "ingest", "text": "queries"}

# What a pipeline may ask for: the tables that go out, each a config of the dataset.
CONFIGS: tuple[str, ...] = (
    "stage1_1",
    "stage1_2_reasoning",
    "stage1_2_empathy",
    "stage1_2_trajectory",
    "stage1_2_contrastive",
    "stage2_alignment",
    "stage2_synthesis",
    "stage2_continuation",
)
