"""How a stage asks the profile's LLM: prompts in its model's template, and the model's recommended sampling."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from ieat_data.config import Profile
from ieat_data.engines.base import Failure, Sampling
from ieat_data.engines.llm.descriptor import Descriptor, load_descriptor
from ieat_data.engines.llm.options import Options, load_options
from ieat_data.engines.ser.appraisal import NAME, appraisal
from ieat_data.errors import UserError
from ieat_data.paths import Folder, prompts_dir
from ieat_data.prompting.base import Task
from ieat_data.prompting.prompts import Prompts
from ieat_data.stages.base import Context


def load_prompts(descriptor: str) -> Prompts:
    """Return the prompt files of the project over the package's, for a model descriptor; read once."""
    return _prompts(prompts_dir(), descriptor)


@functools.cache
def _prompts(root: Folder, descriptor: str) -> Prompts:
    return Prompts(root, load_descriptor(descriptor))


def prompts_of(profile: Profile) -> Prompts:
    """Return the prompt files for the profile's LLM."""
    return load_prompts(descriptor_name(profile))


def descriptor_name(profile: Profile) -> str:
    """Return which descriptor the profile's LLM has.

    Raises:
        UserError: the profile does not say.
    """
    engine = profile.engines.get("llm")
    if engine is None or not engine.settings.get("descriptor"):
        known = ", ".join(path.stem for path in prompts_dir().glob("models/*.yaml"))
        raise UserError(
            f"profile {profile.name}: engines.llm.settings has no `descriptor`: name the model's family ({known}), or "
            "the path of your own YAML file"
        )
    return str(engine.settings["descriptor"])


def descriptor_of(profile: Profile) -> Descriptor | None:
    """Return the descriptor of the profile's LLM; None for a profile without one."""
    engine = profile.engines.get("llm")
    return prompts_of(profile).descriptor if engine and engine.settings.get("descriptor") else None


def sampling(ctx: Context, kind: Literal["thinking", "answering"], max_tokens: int | None) -> Sampling:
    """Return the sampling that the model's descriptor recommends, with the stage's token budget if it has one."""
    known = prompts_of(ctx.profile).descriptor.sampling
    recommended = (known.thinking if kind == "thinking" else known.answering).request()
    return recommended if max_tokens is None else replace(recommended, max_tokens=max_tokens)


def prompt_faults(profile: Profile, tasks: Iterable[Task], languages: Iterable[str]) -> list[str]:
    """Return what is wrong with the prompt files of these tasks, one line per fault."""
    faults = []
    prompts = prompts_of(profile)
    languages = list(languages)
    for task in tasks:
        for language in languages:
            try:
                prompts.task(task, language)  # type: ignore[arg-type]
                if task != "respond":
                    prompts.think(task, language)  # type: ignore[arg-type]
            except UserError as e:
                faults.append(str(e))
    return faults


def option_faults(name: str, options: Sequence[str], languages: Iterable[str]) -> list[str]:
    """Return what is wrong with the files `prompts/NAME.{language}.yaml` of a question about options, one line each."""
    faults = []
    for language in languages:
        try:
            load_options(prompts_dir(), name, language, options)
        except UserError as e:
            faults.append(str(e))
    return faults


def words_say(rows: Sequence[tuple[str, str, str]], ctx: Context) -> list[dict[str, float] | Failure]:
    """Return the LLM's probabilities of the feelings in the words. `rows`: (id, language, text)."""
    if NAME not in ctx.shared:
        ctx.shared[NAME] = appraisal(prompts_dir(), descriptor_name(ctx.profile))
    options: Options = ctx.shared[NAME]
    return options.weigh(rows, ctx.engines["llm"].choose)
