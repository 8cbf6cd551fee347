"""Which utterance is what the same person says next in a recording.

By the times of both in their recording if the corpus has them (GigaSpeech, LibriHeavy), else by the number of the
segment in its id: Emilia's `…_W000029`, `…_W000030`; WenetSpeech4TTS's `…_S00031-S00032`, `…_S00033`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

_ROUNDED_S = 0.01  # by which times in corpora may overlap
_NUMBERED = re.compile(r"(.*_[A-Z])(\d+)(?:-[A-Z](\d+))?")


class Clip(Protocol):
    """What is known of an utterance's place (`data.rows.Utterance`)."""

    @property
    def source(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def speaker(self) -> str: ...
    @property
    def corpus_id(self) -> str | None: ...
    @property
    def recording(self) -> str | None: ...
    @property
    def start_s(self) -> float | None: ...
    @property
    def segment_s(self) -> float | None: ...


AnyClip = TypeVar("AnyClip", bound=Clip)


@dataclass(frozen=True, order=True)
class Place:
    """Where a clip lies. `begins` and `ends` are seconds if `timed`, else numbers of segments."""

    source: str
    recording: str
    timed: bool
    begins: float
    ends: float


def place(clip: Clip) -> Place | None:
    """Return where a clip lies in its recording; None if its corpus does not say."""
    if clip.start_s is not None:
        ends = clip.start_s + (clip.segment_s or 0.0)
        return Place(clip.source, clip.recording or "", True, clip.start_s, ends)
    # a key goes on with `@FILE#NUMBER`
    numbered = _NUMBERED.fullmatch(clip.corpus_id or clip.key.partition("@")[0])
    if numbered is None:
        return None
    return Place(clip.source, numbered[1], False, int(numbered[2]), int(numbered[3] or numbered[2]))


def is_named(clip: Clip) -> bool:
    """Tell whether the corpus names the speaker: where it does not, the clip's key stands for one."""
    return clip.speaker != f"{clip.source}/{clip.key}"


def follows(one: Clip, two: Clip, max_gap_s: float) -> bool:
    """Tell whether `two` is what the named speaker of `one` said next."""
    return one.speaker == two.speaker and _next(place(one), place(two), max_gap_s)


def chains(clips: Sequence[AnyClip], max_gap_s: float) -> list[list[AnyClip]]:
    """Return the clips that follow each other without a gap, in their order; one without a place is in no chain.

    Unlike for `follows`, two clips of a recording whose speakers nobody names may be neighbours.
    """
    placed = sorted(((p, c) for c in clips if (p := place(c)) is not None), key=lambda x: (x[0], x[1].key))
    found: list[list[AnyClip]] = []
    before: Place | None = None
    for at, clip in placed:
        if found and _one_voice(found[-1][-1], clip) and _next(before, at, max_gap_s):
            found[-1].append(clip)
        else:
            found.append([clip])
        before = at
    return found


def _one_voice(one: Clip, two: Clip) -> bool:
    return one.speaker == two.speaker if is_named(one) or is_named(two) else True


def _next(one: Place | None, two: Place | None, max_gap_s: float) -> bool:
    if one is None or two is None or (one.source, one.recording, one.timed) != (two.source, two.recording, two.timed):
        return False
    if one.timed:
        return -_ROUNDED_S <= two.begins - one.ends <= max_gap_s
    return two.begins == one.ends + 1
