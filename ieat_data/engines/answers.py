"""What an engine may answer, checked once where answers arrive: kinds, counts, finite numbers, lengths, sound.

Nothing else is between an engine and the tables: what passes here can be stored, and read by every stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ieat_data.data import audio
from ieat_data.engines import base
from ieat_data.engines.base import Failure

_MOST_CHARS = 4_000_000  # of a text: no model's context holds as much
_LONGEST_CLIP_S = 3600.0
_OFF_S = 0.1  # between a clip's stated duration and its samples


class _Wrong(Exception):
    """An answer that cannot be used: (reason, what is wrong)."""


def checked(method: str, request: Any, answer: Any) -> Any:
    """Return `answer` if it fits the request; else a Failure, `not_finite` or `bad_answer`, that says what is wrong.

    A Failure passes, and so does an exception: what this request alone met.
    """
    if isinstance(answer, Exception):
        return answer
    if isinstance(answer, Failure):
        good = isinstance(answer.reason, str) and answer.reason and isinstance(answer.message, str)
        return answer if good else Failure("bad_answer", f"a Failure without a reason: {_short(answer)}")
    wanted, check = _CHECKS.get(method, (object, None))
    if not isinstance(answer, wanted):
        return Failure("bad_answer", f"{_short(answer)} in place of a {wanted.__name__}")
    try:
        if check is not None:
            check(request, answer)
    except _Wrong as e:
        return Failure(*e.args)
    except Exception as e:  # an answer of a form that nobody thought of
        return Failure("bad_answer", f"{_short(answer)}: {type(e).__name__}: {e}")
    return answer


def _completion(request: base.Generate, answer: base.Completion) -> None:
    if answer.finish_reason not in ("stop", "length", "context"):
        raise _Wrong("bad_answer", f"finish_reason {answer.finish_reason!r}")
    if not isinstance(answer.parts, tuple) or not (answer.parts or answer.finish_reason == "context"):
        raise _Wrong("bad_answer", f"a completion without text: {_short(answer)}")
    for text in (*answer.parts, *answer.control):
        _text(text)
    _integers("token", answer.token_ids)
    _integers("count", (answer.n_prompt,))


def _chosen(request: base.Choose, answer: base.Chosen) -> None:
    if len(answer.probabilities) != len(request.choices):
        raise _Wrong("bad_answer", f"{len(answer.probabilities)} probabilities for {len(request.choices)} choices")
    _numbers("probability", answer.probabilities, 0.0, 1.0)
    if abs(sum(answer.probabilities) - 1) > 0.01:
        raise _Wrong("bad_answer", f"probabilities that sum to {sum(answer.probabilities):.3f}")


def _transcript(request: base.Transcribe, answer: base.Transcript) -> None:
    _text(answer.text)
    _details(answer.details)


def _scores(request: base.Classify, answer: base.EmotionScores) -> None:
    if not answer.scores or not all(isinstance(k, str) and k for k in answer.scores):
        raise _Wrong("bad_answer", f"scores without labels: {_short(answer)}")
    _numbers("score", answer.scores.values(), 0.0, 1.0)
    _details(answer.details)


def _clip(request: base.Synthesize, answer: base.Clip) -> None:
    _numbers("duration", (answer.duration_s,), 0.0, _LONGEST_CLIP_S)
    if not isinstance(answer.audio, bytes) or audio.container(answer.audio) != "flac":
        raise _Wrong("bad_answer", "a clip that is not FLAC")
    try:
        samples, rate = audio.decode(answer.audio)
    except audio.AudioError as e:
        raise _Wrong("bad_answer", f"a clip that cannot be used: {e}") from None
    seconds = samples.size / rate
    if rate != answer.sample_rate or abs(seconds - answer.duration_s) > _OFF_S:
        said = f"{answer.duration_s:.2f} s at {answer.sample_rate} Hz"
        raise _Wrong("bad_answer", f"a clip of {seconds:.2f} s at {rate} Hz that is said to be {said}")


def _tokens(request: base.Encode, answer: base.SpeechTokens) -> None:
    _integers("token", answer.tokens or ())
    _numbers("rate", (answer.rate_hz,), 0.0, 1e5)


def _quality(request: base.Rate, answer: base.Quality) -> None:
    _numbers("score", (answer.overall, answer.signal, answer.background), -1.0, 7.0)  # models go beyond 1 to 5


def _similarity(request: base.Compare, answer: base.Similarity) -> None:
    _numbers("similarity", (answer.similarity,), -1.0, 1.0)


_CHECKS: Mapping[str, tuple[type, Callable[[Any, Any], None]]] = {
    "generate": (base.Completion, _completion),
    "choose": (base.Chosen, _chosen),
    "transcribe": (base.Transcript, _transcript),
    "classify": (base.EmotionScores, _scores),
    "synthesize": (base.Clip, _clip),
    "encode": (base.SpeechTokens, _tokens),
    "rate": (base.Quality, _quality),
    "compare": (base.Similarity, _similarity),
}


def _text(text: Any) -> None:
    if not isinstance(text, str):
        raise _Wrong("bad_answer", f"{_short(text)} in place of a text")
    if len(text) > _MOST_CHARS:
        raise _Wrong("bad_answer", f"a text of {len(text)} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Wrong("bad_answer", "a text that is not Unicode") from None


def _details(details: Any) -> None:
    if not isinstance(details, Mapping) or not all(isinstance(k, str) for k in details):
        raise _Wrong("bad_answer", f"details {_short(details)}")
    _numbers("detail", details.values())


def _numbers(what: str, values: Iterable[Any], least: float = -math.inf, most: float = math.inf) -> None:
    for value in values:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _Wrong("bad_answer", f"a {what} that is no number: {_short(value)}")
        if not math.isfinite(value):
            raise _Wrong("not_finite", f"a {what} is {value}")
        if not least - 1e-3 <= value <= most + 1e-3:
            raise _Wrong("bad_answer", f"a {what} of {value:g}, outside {least:g} to {most:g}")


def _integers(what: str, values: Any) -> None:
    if not isinstance(values, tuple):
        raise _Wrong("bad_answer", f"{what}s {_short(values)}")
    if {*map(type, values)} == {int} and min(values) >= 0:  # all is well: most answers have hundreds
        return
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise _Wrong("bad_answer", f"a {what} {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:80] + '…'}"
