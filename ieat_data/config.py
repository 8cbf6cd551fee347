"""What users write: pipelines, profiles and sources, as YAML checked by pydantic. A wrong key or value is one line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from ieat_data import paths
from ieat_data.errors import UserError, did_you_mean
from ieat_data.masking import hold_named
from ieat_data.strict import Strict, lay_over, override, read_yaml, validate

Role = Literal["llm", "asr", "ser", "tts", "codec", "mos", "speaker"]
Language = Literal["en", "zh"]
Rule = Literal["any_reject", "majority"]
InstructionStatus = Literal["proposed", "checked", "accepted", "rejected"]


class EngineConfig(Strict):
    """One engine of a profile: its name, its settings, and how many of them run."""

    engine: str = Field(description="a name of the list below, or `module:Class`")
    replicas: int = Field(1, ge=1, description="how many of them run, over the whole cluster")
    chunk: int = Field(8, ge=1, description="requests in one call")
    deadline_s: float | None = Field(
        None,
        gt=0,
        description="seconds for one request. A call of several has as many times as long, the first of a process "
        "three times that; one that takes longer is ended with its process and asked again in halves. null: 300 for "
        "`llm`, `asr` and `tts`, 120 for `ser` and `codec`, 60 for `mos` and `speaker`, none for engines "
        "that ask servers (their `timeout_s` is the limit)",
    )
    num_cpus: float = Field(0.0, ge=0, description="Ray CPUs of one actor")
    num_gpus: float = Field(0.0, ge=0, description="Ray GPUs of one actor")
    nice: int = Field(
        0, ge=0, le=19, description="how far its processes step back, on Ray, where engines share cores (as `nice -n`)"
    )
    python: str | None = Field(None, description="interpreter of another environment, for an engine that needs its own")
    voices: Mapping[Language, tuple[str, ...]] = Field(
        default_factory=dict, description="of a TTS engine: its voices, by language"
    )
    settings: Mapping[str, Any] = Field(default_factory=dict, description="see the engine's own table")


class RayConfig(Strict):
    """The Ray cluster that runs the work."""

    address: str | None = Field(None, description="of an existing cluster, or `auto`; null starts a local one")
    num_cpus: int | None = Field(None, ge=1, description="of a local cluster; null takes all")
    object_store_mb: int = Field(512, ge=80, description="object store of a local cluster, in MB")


class Profile(Strict):
    """The engines that do the work, and how much runs in parallel."""

    name: str = Field(description="its own name")
    description: str = Field("", description="a sentence for people")
    base: str | None = Field(None, description="the profile that this one is laid over")
    recording: str | None = Field(
        None,
        description="take all answers from this recording (a name under recordings/, or a path); no engine is loaded",
    )
    engines: Mapping[Role, EngineConfig] = Field(description="who plays each role")
    autoscale: bool = Field(
        False,
        description="on Ray: engines that have too little to do give their GPUs and CPUs to those that calls wait for. "
        "`replicas` is the start; all together take no more than that",
    )
    shards_in_flight: int = Field(2, ge=1, description="shards worked on at the same time")
    executor: Literal["auto", "local", "ray"] = Field(
        "auto",
        description="who runs the work: `ray`, or `local`, this process, without deadlines of engines; `auto` takes "
        "this process for at most 20 records (1,000 where no engine is asked) and engines without a GPU",
    )
    ray: RayConfig = RayConfig()

    def model_post_init(self, context: Any) -> None:
        """Make the keys that engines are given known, so that no message of this process shows one."""
        for engine in self.engines.values():
            hold_named(engine.settings)

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voices of the TTS engine in a language; none if there is no such engine."""
        tts = self.engines.get("tts")
        return next((v for k, v in tts.voices.items() if k == language), ()) if tts else ()


class Source(Strict):
    """A corpus: how to read it, where it is, and on which terms it may be used."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="its name; it becomes part of file names")
    reader: str = Field(description="who reads it: a name of the list below")
    root: str = Field(
        description="where it lies: a folder or file, `s3://…`, `hf://…`; `${VAR}` comes from the environment"
    )
    language: Language = Field(description="of records that name none themselves")
    licence: str = Field(description="the licence of the corpus; the manifest repeats it")
    terms: str = Field(description="what a user must accept, and where")
    non_commercial: bool = Field(description="whether its licence forbids commercial use")
    hours: float | None = Field(None, gt=0, description="hours of speech, as the authors of the corpus give them")
    homepage: str = Field("", description="where to find it")
    untranscribed: Literal["reject", "asr"] = Field(
        "reject",
        description="a clip without a transcript is rejected (`empty_transcript`), or the ASR's words stand in: with "
        "nothing to compare them with, so choose a good one",
    )
    notes: str = Field("", description="what else a user should know")
    options: Mapping[str, Any] = Field(default_factory=dict, description="see the reader's own table")

    def path(self) -> Path | str:
        """Return the corpus folder, as found by `located`, or the URL of one elsewhere (`s3://…`, `hf://…`) as text."""
        own = f"source {self.name!r}"
        root = _expanded(self.root, own)
        return root if "://" in root else located(self.root, own)

    def arguments(self) -> dict[str, Any]:
        """Return `options` as the reader gets them, with ${VAR} replaced from the environment."""
        own = f"source {self.name!r}"
        return {k: _expanded(v, own) if isinstance(v, str) else v for k, v in self.options.items()}


class ProjectFile(Strict):
    """`ieat.toml`, which makes a folder a project."""

    name: str = Field(min_length=1, description="its name, for people")
    python: tuple[str, ...] = Field(
        (".",), description="folders, seen from the project, with the Python modules that YAML files name"
    )


def load_project(folder: Path) -> ProjectFile:
    """Read the `ieat.toml` of a project.

    Raises:
        UserError: it is invalid.
    """
    path = folder / paths.PROJECT_FILE
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UserError(f"{path}: cannot be read: {e.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise UserError(f"{path}: not TOML: {e}") from None
    file = validate(ProjectFile, data, str(path))
    if absent := [f for f in file.python if not (folder / f).is_dir()]:
        raise UserError(f"{path}: python: there is no folder {absent[0]!r} in {folder}")
    if outside := [f for f in file.python if not (folder / f).resolve().is_relative_to(folder.resolve())]:
        raise UserError(f"{path}: python: {outside[0]!r} lies outside the project, which is sent to Ray's workers")
    return file


def located(text: str, what: str, written: bool = False) -> Path:
    """Find a path that a user gives: `./…` in the working directory, other relative paths in the project.

    Args:
        text: the path; ${VAR} comes from the environment.
        what: whose path it is: how an error begins.
        written: the folder is written to, so it is in the project (without one: in the working directory) even where
            the package ships one of that name.

    Raises:
        UserError: a variable is not set.
    """
    path = Path(_expanded(text, what)).expanduser()
    if text.startswith(("./", "../")) or path.is_absolute():
        return path.absolute()
    return paths.home() / path if written else paths.layers(".") / str(path)


def _expanded(text: str, what: str) -> str:
    missing = [v for v in re.findall(r"\$\{(\w+)\}", text) if v not in os.environ]
    if missing:
        raise UserError(
            f"{what}: the folder {text!r} needs the environment variable {missing[0]}: "
            f"export {missing[0]}=/folder/of/the/corpus"
        )
    return re.sub(r"\$\{(\w+)\}", lambda m: os.environ[m[1]], text)


class Sources(Strict):
    """The corpora: names under manifests/sources/, or paths."""

    speech: tuple[str, ...] = Field((), description="corpora of recorded speech")
    text: tuple[str, ...] = Field((), description="corpora of queries, which a TTS engine speaks")
    speakers: tuple[str, ...] = Field((), description="speech corpora whose voices a cloning TTS engine takes")


class Instructions(Strict):
    """How the spoken question of a trajectory or reasoning sample is drawn and placed."""

    placement: Literal["joined", "own_turn"] = Field(
        "joined", description="joined to the last utterance, or a turn of its own"
    )
    before_share: float = Field(
        0.2, ge=0, le=1, description="of joined questions, the share spoken before the utterance, where the bank allows"
    )
    gap_s: tuple[float, float] = Field((0.3, 0.8), description="silence between question and utterance, seconds")
    voice: Literal["drawn", "user"] = Field(
        "drawn", description="whose voice asks: one that is drawn, or as far as the TTS engine can, the user's own"
    )
    statuses: tuple[InstructionStatus, ...] = Field(
        ("checked", "accepted"),
        min_length=1,
        description="which instructions are drawn; `[accepted]` draws only what a person accepted",
    )


class NearDuplicates(Strict):
    """When two samples of a task and language are nearly the same, by Jaccard similarity; null keeps all.

    Signatures estimate the similarity of the texts' shingles (checks/shingles.py).
    """

    said: float | None = Field(
        0.9, ge=0.7, le=1, description="similarity of the user's words, with the same emotions; null: not compared"
    )
    answered: float | None = Field(
        0.8, ge=0.7, le=1, description="similarity of the model's own think and answer; null: not compared"
    )
    words: int = Field(3, ge=1, description="words in a shingle of English")
    characters: int = Field(4, ge=1, description="characters in a shingle of Chinese")


class ContaminationLimits(Strict):
    """When a text counts as a benchmark's."""

    words: int = Field(13, ge=4, description="English words in a row that both have")
    characters: int = Field(20, ge=6, description="Chinese characters in a row that both have")
    similarity: float = Field(0.7, gt=0, le=1, description="Jaccard similarity of shingles (3 words, 4 characters)")


class Judge(Strict):
    """Score the targets of stage 1-2 with the profile's `llm` (stages/gates/llm_judge.py); null: nobody judges."""

    min_score: float | None = Field(
        None, ge=1, le=5, description="a target with a lower mean is rejected; null rejects none"
    )


class Pipeline(Strict):
    """What is built: sources, configs and the settings of each stage (checked by the stage's own model)."""

    name: str = Field(description="its own name; the dataset card shows it")
    description: str = Field("", description="a sentence for people")
    sources: Sources
    configs: tuple[str, ...] = Field(description="the configs that are built")
    seed: int = Field(0, ge=0, description="salt of every draw and seed: another number gives another dataset")
    rows_per_shard: int = Field(512, ge=1, description="records in one shard, the unit of work and of resuming")
    group_shards: int = Field(64, ge=1, description="dialogues are formed within so many consecutive shards")
    limit: int | None = Field(None, ge=1, description="read only the first N records of each source")
    speakers: int = Field(50, ge=1, description="voices per language, drawn by hash")
    instructions: Instructions = Instructions()
    decisions: str = Field("decisions", description="folder of people's decisions, which `ieat review` writes")
    decision_rule: Rule = Field("any_reject", description="what holds where people disagree")
    near_duplicates: NearDuplicates | None = Field(
        NearDuplicates(), description="of samples that are nearly the same one is kept; null keeps all"
    )
    contamination: tuple[str, ...] = Field(
        (), description="benchmarks whose texts no sample may hold: files (.json, .jsonl, .txt) or folders of them"
    )
    contamination_limits: ContaminationLimits = ContaminationLimits()
    judge: Judge | None = Field(None, description="score the targets of stage 1-2 with the `llm`; null: nobody judges")
    checks: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="checks of your own by kind of text: module:function, or the name that a package gives one",
    )
    max_reject_rate: float = Field(0.5, gt=0, le=1, description="a stage that rejects a larger share stops the build")
    min_rows_for_rate: int = Field(40, ge=1, description="rows that a stage must have before its reject rate counts")
    stages: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, description="settings of stages, by name")
    revisions: Mapping[str, str] = Field(
        default_factory=dict, description="which commit of a dataset on the hub is read; a build sets it when it begins"
    )

    @model_serializer(mode="wrap")
    def _plain(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `revisions` and `checks` if they are empty, as in most builds."""
        data: dict[str, Any] = plain(self)
        return {k: v for k, v in data.items() if v or k not in ("revisions", "checks")}


def _find(name: str, folder: Path | paths.Layers, what: str) -> Path:
    """Return the path of `name`: a YAML file in the working directory or project, or a name of one in `folder`."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = next((p for p in (Path(name), paths.home() / name) if p.is_file()), None)
        if path is None:
            raise UserError(f"{what} {name!r}: no such file")
        return path
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"{what} {name!r} is not known{did_you_mean(name, (p.stem for p in folder.glob('*.yaml')))}")
    return path


def load_profile(name: str, assignments: Sequence[str] = ()) -> Profile:
    """Return a profile by name (`pipelines/profiles/NAME.yaml`) or path, applied over its `base`."""
    path = _find(name, paths.profiles_dir(), "profile")
    data = override(read_yaml(path), assignments)
    seen = [name]
    while base := data.pop("base", None):
        if base in seen:
            raise UserError(f"{path}: base: {' → '.join([*seen, str(base)])} leads back to itself")
        seen.append(str(base))
        data = lay_over(read_yaml(_find(str(base), paths.profiles_dir(), f"{path}: base")), data)
    return validate(Profile, data | {"base": seen[1] if len(seen) > 1 else None}, str(path))


def load_source(name: str) -> Source:
    """Return a source by name (`manifests/sources/NAME.yaml`) or path."""
    path = _find(name, paths.sources_dir(), "source")
    return validate(Source, read_yaml(path), str(path))


def languages_of(pipeline: Pipeline) -> list[Language]:
    """Return the languages of a pipeline's corpora, sorted.

    Raises:
        UserError: a source is unknown.
    """
    return sorted({load_source(n).language for n in (*pipeline.sources.speech, *pipeline.sources.text)})


def load_pipeline(name: str, assignments: Sequence[str] = ()) -> Pipeline:
    """Return a pipeline by name (`pipelines/NAME.yaml`) or path. The plan checks the stages' settings."""
    path = _find(name, paths.pipelines_dir(), "pipeline")
    return validate(Pipeline, override(read_yaml(path), assignments), str(path))


def split_assignments(assignments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the `--set` values for the pipeline, and those for the profile (which begin with `profile.`)."""
    profile = [a.removeprefix("profile.") for a in assignments if a.startswith("profile.")]
    return [a for a in assignments if not a.startswith("profile.")], profile
