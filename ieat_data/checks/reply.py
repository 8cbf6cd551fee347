"""Stage 1-1: the reasons to reject a spoken reply, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Sequence

from ieat_data.checks import closing, echo, form, leaks, person, persona, tone
from ieat_data.checks.base import NO_OWN, Check, Own, Rejected, Said, failing
from ieat_data.data.characters import mended
from ieat_data.engines.base import Completion
from ieat_data.prompting.base import Turn
from ieat_data.prompting.files import Example

# for every answer of the model, of any task
SPOKEN: tuple[Check[Said], ...] = (
    Check("empty_answer", form.empty, "says nothing"),
    Check("control_text", form.control_text, "holds a control string of a chat template", 2),
    Check("broken_text", form.broken_text, "holds broken, private or direction characters"),
    Check("mark_run", form.mark_run, "holds a run of one mark, such as ！！！！"),
    Check("markup", form.markup, "is written for the eye: lists, brackets, emojis, a speaker's name and colon"),
    Check("number", form.number, "holds a number that a voice stumbles over: 5-7, 1/2, 12345, 20km"),
    Check("wrong_language", form.wrong_language, "is or ends in another language, or in Traditional Chinese", 2),
    Check("as_an_ai", persona.as_an_ai, "speaks of itself as a machine"),
    Check("refusal", persona.refusal, "refuses, or asks for more information like a clerk"),
    Check("denies_hearing", persona.denies_hearing, "says that it cannot hear"),
    Check("too_long_for_speech", form.too_long_for_speech, "is longer than people would listen to", 2),
    Check("third_person", person.third_person, "speaks about the user, not to the user"),
    Check("to_somebody_else", person.to_somebody_else, "addresses someone from the user's story"),
    Check("first_person", person.first_person, "tells the user's story as its own"),
    Check("loop", echo.answer_loop, "says the same sentence or long clause twice, or the same words three times"),
    Check("copied_example", leaks.copied_example, "copies words or details from a worked example", 2),
    Check("repeats_user", echo.repeats_user, "repeats the user's own words"),
    Check("cold", tone.cold, "plays down what the user feels, blames or lectures them"),
)


def accept_reply(
    language: str,
    user_text: str,
    completion: Completion,
    examples: Sequence[Example] = (),
    own: Own = NO_OWN,
    control: Sequence[str] = (),
) -> str | Rejected:
    """Return the spoken reply of a completion without thinking, on one line, or why there is none.

    Args:
        language: `en` or `zh`.
        user_text: what the user said.
        completion: the model's; it has exactly one part, because no think block was open.
        examples: `Prompts.examples("respond", language)`, so that copies of them are found.
        own: the user's checks of a `completion` and of a `reply`.
        control: `Descriptor.commands` of the model.
    """
    said = answer(language, user_text, completion, examples, own, control)
    if isinstance(said, Rejected):
        return said
    reason = next(failing((*SPOKEN, *own.get("reply", ())), said), None)
    return said.text if reason is None else Rejected(reason)


def answer(
    language: str,
    user_text: str,
    completion: Completion,
    examples: Sequence[Example] = (),
    own: Own = NO_OWN,
    control: Sequence[str] = (),
) -> Said | Rejected:
    """Return the input of the checks, or why a completion holds no answer."""
    reason = next(failing((*closing.REPLY, *own.get("completion", ())), completion), None)
    if reason is not None:
        return Rejected(reason)
    text, commands = form.one_line(mended(completion.parts[0])), (*control, *completion.control)
    return Said(text, "respond", language, (Turn(user_text, ""),), examples=tuple(examples), control=commands)
