"""Names of engines to classes, and what an engine's answers depend on."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
from collections.abc import Mapping
from typing import Any

from ieat_data.config import EngineConfig, Profile
from ieat_data.errors import UserError, did_you_mean
from ieat_data.paths import prompt_hashes

ENGINES: dict[tuple[str, str], str] = {
    ("llm", "llamacpp"): "ieat_data.engines.llm.llamacpp:LlamaCpp",
    ("llm", "vllm"): "ieat_data.engines.llm.vllm:VLLM",
    ("llm", "openai"): "ieat_data.engines.llm.openai:OpenAICompletions",
    ("asr", "faster_whisper"): "ieat_data.engines.asr.faster_whisper:FasterWhisper",
    ("asr", "openai"): "ieat_data.engines.asr.openai:OpenAITranscriptions",
    ("asr", "funasr"): "ieat_data.engines.asr.funasr:FunASR",
    ("ser", "emotion2vec"): "ieat_data.engines.ser.emotion2vec:Emotion2Vec",
    ("ser", "prosody_appraisal"): "ieat_data.engines.ser.prosody_appraisal:ProsodyAppraisal",
    ("tts", "kokoro"): "ieat_data.engines.tts.kokoro:Kokoro",
    ("tts", "openai"): "ieat_data.engines.tts.openai:OpenAISpeech",
    ("tts", "cosyvoice2"): "ieat_data.engines.tts.cosyvoice2:CosyVoice2",
    ("codec", "none"): "ieat_data.engines.codec.none:NoCodec",
    ("codec", "s3tokenizer"): "ieat_data.engines.codec.s3tokenizer:S3Tokenizer",
}


def engine_class(role: str, name: str) -> Any:
    """The class behind a profile's `engine:`, a name of `ENGINES` or one's own `package.module:Class`.

    Importing it loads no model and no heavy package.
    """
    target = name if ":" in name else ENGINES.get((role, name))
    if target is None:
        known = [n for r, n in ENGINES if r == role]
        raise UserError(f"profile: engines.{role}.engine {name!r} is not known{did_you_mean(name, known)}")
    module, _, cls = target.partition(":")
    try:
        return getattr(importlib.import_module(module), cls)
    except (ImportError, AttributeError) as e:
        raise UserError(f"profile: engines.{role}.engine {name!r} cannot be imported: {e}") from None


def uses(role: str, config: EngineConfig) -> tuple[str, ...]:
    """The other roles that an engine calls on."""
    return tuple(getattr(engine_class(role, config.engine), "uses", ()))


def identity(role: str, profile: Profile, recorded: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All that an engine's answers depend on: its name, settings, models by hash, prompts, and whom it calls on.

    With the identity that a recording holds of the role, models are taken at its word: their files need not be here.
    """
    from ieat_data import models

    def model(name: str) -> Mapping[str, Any]:
        return models.identity(name) if recorded is None else models.recorded_identity(name, recorded["models"])

    config = profile.engines[role]  # type: ignore[index]
    cls = engine_class(role, config.engine)
    neutral = set(cls.neutral_settings)
    needed = [r.name for r in cls.requirements(config.settings) if r.kind == "model"]
    return {
        "engine": config.engine,
        "settings": {k: v for k, v in sorted(config.settings.items()) if k not in neutral and v not in needed},
        "models": [model(name) for name in needed],
        "prompts": prompt_hashes(getattr(cls, "prompts", ())),
        "uses": {r: identity(r, profile, recorded and recorded["uses"].get(r)) for r in uses(role, config)},
        "exact": bool(cls.exact),
        "grade": getattr(cls, "grade", None),
    }


def missing(role: str, profile: Profile) -> list[str]:
    """What must be there before the engine can be built and is not, a line each."""
    from ieat_data import models

    config: EngineConfig = profile.engines[role]  # type: ignore[index]
    cls = engine_class(role, config.engine)
    faults = []
    for need in cls.requirements(config.settings):
        if need.kind == "module" and not _has_module(need.name, config.python):
            where = f" (in the environment of {config.python})" if config.python else ""
            faults.append(
                f"engine {role}: {config.engine} needs the Python package that brings {need.name!r}: "
                f"pip install 'ieat-data[{cls.extra}]'{where}"
            )
        elif need.kind == "model":
            try:
                models.resolve(need.name)
            except UserError as e:
                faults.append(f"engine {role}: {e}")
    lacking = [r for r in uses(role, config) if r not in profile.engines]
    faults += [f"engine {role}: {config.engine} calls on {r!r}, which the profile lacks" for r in lacking]
    return faults


def wants(role: str, config: EngineConfig) -> dict[str, bool]:
    """What the engine asks for in a request besides the clip: `transcript`, `peers`."""
    cls = engine_class(role, config.engine)
    return {w: bool(getattr(cls, f"wants_{w}", False)) for w in ("transcript", "peers")}


def takes_prompts(config: EngineConfig) -> bool:
    """Whether a TTS engine, as it is set here, clones the voices of clips that come with the requests."""
    asked = getattr(engine_class("tts", config.engine), "takes_prompts", None)
    return bool(asked and asked(config.settings))


def concurrent_calls(role: str, config: EngineConfig) -> int:
    """How many calls an engine takes at the same time: one, unless its class says that it batches across calls."""
    return int(getattr(engine_class(role, config.engine), "concurrent_calls", 1))


def _has_module(name: str, python: str | None) -> bool:
    if python is None:
        return importlib.util.find_spec(name) is not None
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    try:
        return subprocess.run([python, "-c", look, name], check=False, timeout=60).returncode == 0
    except OSError as e:
        raise UserError(f"profile: python {python!r} cannot be started: {e.strerror}") from None


def build(role: str, config: EngineConfig, helpers: Mapping[str, Any]) -> Any:
    """Load an engine: this may take long."""
    return engine_class(role, config.engine)(**{r: helpers[r] for r in uses(role, config)}, **config.settings)
