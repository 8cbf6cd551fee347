"""docs/reference/{pipeline,profile,source,stages}.md: the YAML files that users write."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from ieat_data.config import EngineConfig, Pipeline, Profile, ProjectFile, Source
from ieat_data.corpora import READERS, reader_class
from ieat_data.dataset.export.run import EXPORTERS
from ieat_data.decisions.team import TEAM_FILE, Team
from ieat_data.engines.http import HttpClient
from ieat_data.engines.registry import ENGINES, engine_class
from ieat_data.paths import PROJECT_FILE, shipped
from ieat_data.plugins import load
from ieat_data.stages import CONFIGS, STAGES, UNIONS
from ieat_data.stages.base import Stage, StageSettings
from ieat_data.stages.row_by_row import ExpandStage, MapStage
from ieat_data.stages.speech.ingest import SourceStage
from scripts.reference.keys import keys
from scripts.reference.markdown import bare, codes, page, table
from scripts.reference.parameters import parameters, purpose

_SHARED = tuple(StageSettings.model_fields)


def pipeline() -> str:
    intro = f"""
A pipeline says what is built: `pipelines/NAME.yaml`, or a path. Name it in `ieat build NAME`. Lay single values over
it with `--set key.sub=value`; a key that is not known is an error that names the key that you may have meant.

`configs` are any of {codes(CONFIGS)}. The keys of each stage are in [stages](stages.md).
"""
    return page("Pipeline YAML", intro, "## Keys", keys(Pipeline), _example("pipelines/stage1-2.yaml"))


def profile() -> str:
    intro = """
A profile says who does the work: `pipelines/profiles/NAME.yaml`, or a path. Name it with `--profile`. Lay single
values over it with `--set profile.key.sub=value`. With `base: cpu` you write only what differs from that profile.
"""
    engines = [s for role, name in ENGINES for s in _engine(role, name)]
    return page(
        "Profile YAML",
        intro,
        "## Keys",
        keys(Profile),
        "## Keys of an engine",
        "Each entry of `engines` is `role: {…}` with these keys.",
        keys(EngineConfig),
        "## Engines and their settings",
        "*Exact* engines give the same answer to the same request, whatever else runs. An engine of your own: `engine: "
        "your.module:Class`.",
        *engines,
        "### Settings of every engine called openai",
        "Besides its own.",
        parameters(HttpClient, frozenset({"engine", "max_bytes"})),
        _example("pipelines/profiles/cpu.yaml"),
    )


def _engine(role: str, name: str) -> Iterator[str]:
    cls = engine_class(role, name)
    extra, grade, uses = (getattr(cls, a, None) for a in ("extra", "grade", "uses"))
    facts = ["exact" if cls.exact else "not exact"]
    facts += [f"install `ieat-data[{extra}]`"] if extra else []
    facts += [f"asks {codes(uses)}"] if uses else []
    facts += [f"**{grade} grade: not for training data**"] if grade else []
    yield f"### {role}: {name}"
    yield f"{purpose(cls)} ({'; '.join(facts)})"
    yield parameters(cls, frozenset(uses or ()))


def source() -> str:
    intro = """
A source says how a corpus is read and on which terms it may be used: `manifests/sources/NAME.yaml`, or a path. Name
it under `sources` in a pipeline. `ieat sources` lists those that are known, and whether they are found.
"""
    readers = [s for name in READERS for s in _reader(name)]
    return page(
        "Source YAML", intro, "## Keys", keys(Source), "## Readers and their options", *readers,
        _example("manifests/sources/emilia-en.yaml"),
    )  # fmt: skip


def _reader(name: str) -> Iterator[str]:
    cls: Any = reader_class(name)
    yield f"### {name}"
    yield f"A reader of {cls.kind}. {purpose(cls)}"
    yield parameters(cls, frozenset({"root", "language"}))


def stages() -> str:
    intro = f"""
A stage makes one table from others. Its settings stand in a pipeline under `stages.NAME`; any stage also takes
`max_reject_rate`, in place of the pipeline's. Configs are the stages whose tables go out, each as a config of the
dataset: {codes(CONFIGS)}.

Names that stand for several tables of one schema: {"; ".join(f"`{u}` for {codes(t)}" for u, t in UNIONS.items())}.
"""
    return page("Stages", intro, _overview(), *(s for stage in STAGES.values() for s in _stage(stage)))


def exporters() -> str:
    intro = """
`ieat export DIR --to NAME --out OUT` writes a dataset for a trainer or another tool. Lay settings over with
`--set key=value`, or with the option of the same name.
"""
    sections = []
    for name, target in EXPORTERS.items():
        cls = load(target, "exporter")
        sections += [f"## {name}", purpose(cls), " ".join(_more(cls)), keys(cls.Settings)]
    return page("Exporters", intro, *sections)


def _more(cls: type[Any]) -> Iterator[str]:
    """The paragraphs of a docstring after the first."""
    for paragraph in inspect.cleandoc(cls.__doc__ or "").split("\n\n")[1:]:
        yield bare(" ".join(paragraph.split()))


def _overview() -> str:
    rows = [(f"[{n}](#{n})", _kind(s), codes(s.engines)) for n, s in STAGES.items()]
    return table(("stage", "kind", "asks"), rows)


def _kind(stage: Stage) -> str:
    kinds = ((SourceStage, "source"), (MapStage, "map"), (ExpandStage, "expand"))
    other = "config" if stage.name in CONFIGS else "regroup"
    return next((words for kind, words in kinds if isinstance(stage, kind)), other)


def _stage(stage: Stage) -> Iterator[str]:
    yield f"## {stage.name}"
    yield purpose(type(stage))
    reads = (
        ("reads", stage.inputs),
        ("reads whole", stage.broadcast),
        ("reads where it is made", stage.optional),
        ("asks", stage.engines),
        ("prompts", stage.prompts),
    )
    facts = [f"- {what}: {codes(names)}" for what, names in reads if names]
    yield "\n".join([f"- {_kind(stage)}, version {stage.version}", *facts])
    yield keys(stage.Settings, skip=_SHARED)


def project() -> str:
    intro = f"""
A project folder has an `{PROJECT_FILE}`. It holds what is yours: `pipelines/`, `prompts/`, `manifests/`,
`recordings/`, `decisions/` and Python modules. File by file, what it holds takes the place of what the package ships.

Name it with `ieat --project DIR …` or in `IEAT_PROJECT`; else it is the working directory, if that has an
`{PROJECT_FILE}`.
"""
    team = f"""
## Keys of decisions/{TEAM_FILE}

How a team [reviews](../how-to/review.md). The file is optional; `ieat review` reads it from the folder of decisions and
follows its changes.
"""
    return page("Project folder", intro, f"## Keys of {PROJECT_FILE}", keys(ProjectFile), team, keys(Team))


def _example(path: str) -> str:
    text = (shipped() / path).read_text(encoding="utf-8")
    return f"## A shipped example\n\n`{path}`:\n\n```yaml\n{text.strip()}\n```"
