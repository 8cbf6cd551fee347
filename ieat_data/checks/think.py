"""IEAT: the reasons to reject a continued think block and its answer, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ieat_data.checks import cause, closing, echo, emotion, form, leaks, person, persona, tone
from ieat_data.checks.base import NO_OWN, Check, Own, Rejected, Said, failing
from ieat_data.checks.reply import SPOKEN
from ieat_data.data.characters import mended
from ieat_data.data.emotions import Labels
from ieat_data.data.rows import SpanOrigin, ThinkSpan
from ieat_data.data.thoughts import join
from ieat_data.engines.base import Completion
from ieat_data.prompting.base import Turn
from ieat_data.prompting.files import Example

THOUGHT: tuple[Check[Said], ...] = (
    Check("think_control_text", form.control_text, "holds a control string of a chat template", 2),
    Check("think_broken_text", form.broken_text, "holds broken, private or direction characters"),
    Check("think_markup", form.think_markup, "holds code, tags or links"),
    Check("think_mark_run", form.mark_run, "holds a run of one mark, such as ！！！！"),
    Check("think_wrong_language", form.wrong_language, "is or ends in another language, or in Traditional Chinese", 2),
    Check("think_too_short", form.too_short, "adds next to nothing to the injected body"),
    Check("think_copied_example", leaks.copied_example, "copies words or details from a worked example", 2),
    Check("think_loop", echo.loop, "says the same sentence twice or the same words three times"),
    Check("think_as_an_ai", persona.as_an_ai, "speaks of itself as a machine"),
    Check("think_label_leak", leaks.label_leak, "mentions labels, scores or classifiers"),
    Check("think_instruction_leak", leaks.instruction_leak, "mentions its instructions or examples", 2),
    Check("think_first_person", person.think_first_person, "thinks as if it were the user", 2),
    Check("think_to_user", person.think_to_user, "speaks to the user instead of thinking about them", 2),
    Check("think_disagrees", emotion.think_disagrees, "names other emotions than the one heard"),
    Check("think_no_cause", cause.no_cause, "names no cause, and nothing that the user said"),
)
ANSWER: tuple[Check[Said], ...] = (
    *SPOKEN,
    Check("label_leak", leaks.label_leak, "mentions labels, scores or classifiers"),
    Check(
        "instruction_leak",
        leaks.answer_instruction_leak,
        "mentions its instructions, its examples or its form",
        2,
    ),
    Check("not_to_user", person.not_to_user, 'speaks of feelings and never says "you"'),
    Check("disagrees", emotion.disagrees, "does not fit the emotion: cheers the sad, comforts the happy"),
    Check("names_neutral", tone.names_neutral, "tells a calm user that they are neutral"),
    Check("repeats_think", echo.repeats_think, "repeats the thought", 2),
    Check("asks_back", cause.asks_back, "answers the question about the cause with a question"),
    Check("answer_no_cause", cause.answer_no_cause, "names a feeling without its cause in what the user said"),
    Check("labels_missing", emotion.labels_missing, "leaves out an emotion of the dialogue"),
    Check("labels_invented", emotion.labels_invented, "names an emotion that was recognized in no turn"),
    Check("labels_order", emotion.labels_order, "names the emotions in another order"),
)


@dataclass(frozen=True)
class Accepted:
    """The target: the whole think block, who wrote which part of it, and the answer."""

    think: str
    think_spans: tuple[ThinkSpan, ...]
    answer: str


def accept(
    task: str,
    language: str,
    given: Sequence[tuple[SpanOrigin, str]],
    completion: Completion,
    turns: Sequence[Turn],
    instruction: str | None,
    labels: Labels,
    examples: Sequence[Example] = (),
    own: Own = NO_OWN,
    control: Sequence[str] = (),
) -> Accepted | Rejected:
    """Return the think block and the answer of a completion, or the first check that it fails.

    Args:
        task: `empathy`, `reasoning` or `trajectory`.
        language: `en` or `zh`.
        given: what the think block at the end of the prompt holds, by origin; the completion continues right after it.
        completion: the model's; one close of the think block splits it into two parts.
        turns: the user's words and the recognized labels.
        instruction: the question the user speaks, or None.
        labels: `Prompts.labels`.
        examples: `Prompts.examples(task, language)`, so that copies of them are found.
        own: the user's checks of a `completion`, a `thought` and an `answer`.
        control: `Descriptor.commands` of the model.
    """
    pair = thought_and_answer(task, language, completion, turns, instruction, labels, examples, own, control)
    if isinstance(pair, Rejected):
        return pair
    thought, answer = pair
    reason = next(failing((*THOUGHT, *own.get("thought", ())), thought), None)
    reason = reason or next(failing((*ANSWER, *own.get("answer", ())), answer), None)
    if reason:
        return Rejected(reason)
    return Accepted(*join([*given, ("model", thought.text)]), answer.text)


def thought_and_answer(
    task: str,
    language: str,
    completion: Completion,
    turns: Sequence[Turn],
    instruction: str | None,
    labels: Labels,
    examples: Sequence[Example] = (),
    own: Own = NO_OWN,
    control: Sequence[str] = (),
) -> tuple[Said, Said] | Rejected:
    """Return the input of the checks, or why a completion holds no such pair."""
    reason = next(failing((*closing.TARGET, *own.get("completion", ())), completion), None)
    if reason is not None:
        return Rejected(reason)
    continuation, spoken = (mended(part) for part in completion.parts)
    heard = [*(t.transcript for t in turns), instruction or ""]
    continuation, spoken = leaks.without_instructions(continuation.rstrip(), heard), form.one_line(spoken)
    commands = (*control, *completion.control)

    def said(text: str, thought: str = "") -> Said:
        return Said(text, task, language, tuple(turns), instruction, thought, labels, tuple(examples), commands)

    return said(continuation), said(spoken, thought=continuation)
