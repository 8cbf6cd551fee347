"""What is needed to prompt a model family by hand: control tokens, the turns of its template, its think block.

One YAML file per family under `prompts/models/`, so that it is hashed with the prompts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ieat_data.engines.base import Sampling
from ieat_data.errors import UserError, did_you_mean
from ieat_data.paths import prompts_dir
from ieat_data.strict import Strict, read_yaml, validate

Role = Literal["system", "user", "assistant"]


class TurnTemplate(Strict):
    """The text before and after the content of a turn."""

    open: str = Field(min_length=1)
    close: str = Field(min_length=1)


class Turns(Strict):
    """The template's turns by role."""

    system: TurnTemplate
    user: TurnTemplate
    assistant: TurnTemplate


class DrawSettings(Strict):
    """Sampling as YAML; see `ieat_data.engines.base.Sampling`."""

    max_tokens: int = Field(512, ge=1)
    temperature: float = Field(0.7, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    min_p: float = Field(0.0, ge=0, le=1)
    presence_penalty: float = Field(0.0, ge=-2, le=2)

    def request(self) -> Sampling:
        return Sampling(**self.model_dump())


class RecommendedSampling(Strict):
    """The family's recommended sampling, with and without thinking."""

    thinking: DrawSettings
    answering: DrawSettings


class Descriptor(Strict):
    """A model family.

    `control_strings` are texts that corpus text must never form; every token id from `min_control_id` on is a control
    id. `think_close_id` is null if ordinary text closes the think block (then the decoded text is searched for it).
    `no_think` follows the assistant's opening for an answer without thinking. `worked_examples`: the model thinks only
    if it sees examples. `switches` are words of a turn that the family was trained to obey. `default_system` is what
    the model's own template adds to a conversation without a system turn.
    """

    family: str = Field(min_length=1)
    control_strings: tuple[str, ...] = Field(min_length=1)
    min_control_id: int = Field(ge=1)
    end_of_turn: str = Field(min_length=2)
    end_of_turn_id: int = Field(ge=0)
    turns: Turns
    default_system: str = ""
    think_open: str = Field(min_length=1)
    think_close: str = Field(min_length=2)
    think_close_id: int | None
    no_think: str = ""
    switches: tuple[str, ...] = ()
    worked_examples: bool
    sampling: RecommendedSampling

    @field_validator("control_strings")
    @classmethod
    def _long_enough_to_cut(cls, strings: tuple[str, ...]) -> tuple[str, ...]:
        if short := [s for s in strings if len(s) < 2]:
            raise ValueError(f"a control string needs at least two characters, got {short[0]!r}")
        return strings

    @model_validator(mode="after")
    def _control_strings_are_complete(self) -> Descriptor:
        needed = (self.end_of_turn, self.think_open.strip(), self.think_close)
        if missing := [s for s in needed if s not in self.control_strings]:
            raise ValueError(f"control_strings lacks {missing[0]!r}")
        return self

    @property
    def commands(self) -> tuple[str, ...]:
        """Return all strings that no text of a user or of the model may hold."""
        return (*self.control_strings, *self.switches)

    def turn(self, role: Role) -> TurnTemplate:
        template: TurnTemplate = getattr(self.turns, role)
        return template


def load_descriptor(name_or_path: str | Path) -> Descriptor:
    """Return a descriptor by name (`qwen3`, a file of `prompts/models/`) or by the path of a YAML file.

    Raises:
        UserError: there is none, or it is invalid.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        folder = prompts_dir()
        path = folder / f"models/{name_or_path}.yaml"
        if not path.is_file():
            known = [p.stem for p in folder.glob("models/*.yaml")]
            hint = did_you_mean(str(name_or_path), known)
            raise UserError(
                f"model descriptor {str(name_or_path)!r} is not in {path.parent}{hint}; "
                "give one of these names or the path of your own YAML file"
            )
    return validate(Descriptor, read_yaml(path), str(path))
