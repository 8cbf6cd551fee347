"""What the words say about the speaker's feeling: P(feeling | words), as an LLM's probabilities of the feeling words.

The model appraises the event ("what happened to the speaker?"); there is no list of emotional words.
"""

from __future__ import annotations

from ieat_data.engines.llm.options import Options
from ieat_data.paths import Folder

FEELINGS = ("happy", "sad", "anger", "fear", "neutral", "surprise", "disgust")
NAME = "appraisal"  # prompts/appraisal.{language}.yaml


def appraisal(root: Folder, descriptor: str, calibration: float = 1.0) -> Options:
    """Return what asks an LLM for the feelings of texts; for the arguments see `Options`."""
    return Options(root, NAME, FEELINGS, descriptor, calibration)
