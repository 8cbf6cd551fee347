"""Engine names to classes, and what an engine's answers depend on."""

from __future__ import annotations

import importlib.util
import math
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ieat_data.config import EngineConfig, Profile
from ieat_data.engines.base import Requirement
from ieat_data.errors import UserError
from ieat_data.paths import prompt_hashes
from ieat_data.plugins import Kind

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
    ("mos", "dnsmos"): "ieat_data.engines.mos.dnsmos:DNSMOS",
    ("speaker", "campplus"): "ieat_data.engines.speaker.campplus:CAMPPlus",
    ("codec", "none"): "ieat_data.engines.codec.none:NoCodec",
    ("codec", "s3tokenizer"): "ieat_data.engines.codec.s3tokenizer:S3Tokenizer",
}


_METHODS = {
    "llm": "generate()",
    "asr": "transcribe()",
    "ser": "classify()",
    "tts": "synthesize()",
    "mos": "rate()",
    "speaker": "compare()",
    "codec": "encode()",
}


def engine_class(role: str, name: str) -> Any:
    """Return the class for a profile's `engine:`: a name in `ENGINES`, from an installed package, or `module:Class`.

    Importing it loads no model and no heavy package.
    """
    builtin = {n: target for (r, n), target in ENGINES.items() if r == role}
    needs = (_METHODS[role], "requirements()", "exact", "neutral_settings")
    return Kind("engine for this role", "ieat.engines", builtin, needs).find(name, f"profile: engines.{role}.engine")


def uses(role: str, config: EngineConfig) -> tuple[str, ...]:
    """Return the other roles that an engine calls."""
    return tuple(getattr(engine_class(role, config.engine), "uses", ()))


def identity(role: str, profile: Profile, recorded: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all that an engine's answers depend on: name, settings, models by hash, prompts, engines it calls.

    With `recorded`, a recording's identity of the role, catalogue models need no files here.
    """
    from ieat_data.engines import weights as models

    def model(name: str) -> Mapping[str, Any]:
        return models.describe(name) if recorded is None else models.describe_recorded(name, recorded["models"])

    config = profile.engines[role]  # type: ignore[index]
    cls = engine_class(role, config.engine)
    neutral = set(cls.neutral_settings)
    needed = [r.name for r in cls.requirements(config.settings) if r.kind == "model"]
    version = getattr(cls, "version", None)  # raised when the same settings give other answers than before
    return {
        "engine": config.engine,
        "settings": {k: v for k, v in sorted(config.settings.items()) if k not in neutral and v not in needed},
        "models": [model(name) for name in needed],
        "prompts": prompt_hashes(getattr(cls, "prompts", ())),
        "uses": {r: identity(r, profile, recorded and recorded["uses"].get(r)) for r in uses(role, config)},
        "exact": bool(cls.exact),
        "grade": getattr(cls, "grade", None),
        **({} if version is None else {"version": version}),
    }


def missing(role: str, profile: Profile) -> list[str]:
    """Return what the engine needs and is not there, one line for each thing to do."""
    from ieat_data.engines import weights as models

    config: EngineConfig = profile.engines[role]  # type: ignore[index]
    cls = engine_class(role, config.engine)
    needs = cls.requirements(config.settings)
    faults = _missing_modules(role, config, [n for n in needs if n.kind == "module"])
    files = [n for n in needs if n.kind == "model"]
    shared = Counter(Path(n.name).expanduser().parent for n in files)
    lines: dict[str, None] = {}  # an ordered set
    for need in files:
        folder = Path(need.name).expanduser().parent
        whole = shared[folder] > 1 and not folder.exists()  # one line for the folder, not one per file
        try:
            models.resolve(str(folder) if whole else need.name)
        except UserError as e:
            lines[f"engine {role}: {need.name!r} is not there: {need.hint}" if need.hint else f"engine {role}: {e}"] = (
                None
            )
    faults += lines
    lacking = [r for r in uses(role, config) if r not in profile.engines]
    faults += [f"engine {role}: {config.engine} calls {r!r}, which the profile lacks" for r in lacking]
    return faults


def _missing_modules(role: str, config: EngineConfig, needs: Sequence[Requirement]) -> list[str]:
    where = f" (in the environment of {config.python})" if config.python else ""
    try:
        absent = absent_modules([n.name for n in needs], config.python)
    except UserError as e:
        return [f"engine {role}: {e}"]
    install = f"pip install 'ieat-data[{engine_class(role, config.engine).extra}]'"
    by_hint: dict[str, list[str]] = {}
    for need in needs:
        if need.name in absent:
            by_hint.setdefault(need.hint or install, []).append(need.name)
    return [
        f"engine {role}: {config.engine} needs the Python package that provides {', '.join(map(repr, names))}: "
        f"{hint}{where}"
        for hint, names in by_hint.items()
    ]


def wants(role: str, config: EngineConfig) -> dict[str, bool]:
    """Return what the engine wants in a request besides the clip: `transcript`, `peers`."""
    cls = engine_class(role, config.engine)
    return {w: bool(getattr(cls, f"wants_{w}", False)) for w in ("transcript", "peers")}


def takes_prompts(config: EngineConfig) -> bool:
    """Tell whether a TTS engine with these settings clones the voices of clips that come with the requests."""
    asked = getattr(engine_class("tts", config.engine), "takes_prompts", None)
    return bool(asked and asked(config.settings))


def concurrent_calls(role: str, config: EngineConfig) -> int:
    """Return how many calls an engine takes at once: one, unless its class batches across calls."""
    return int(getattr(engine_class(role, config.engine), "concurrent_calls", 1))


def filling_calls(role: str, config: EngineConfig) -> int:
    """Return how many calls keep a replica busy: one, or as many as fill the batch of an engine that batches them."""
    batch = getattr(engine_class(role, config.engine), "rows_at_once", None)
    fill = math.ceil(batch(config.settings) / config.chunk) if batch else 1
    return min(fill, concurrent_calls(role, config))


def limits_itself(role: str, config: EngineConfig) -> bool:
    """Return whether an engine has time limits of its own, so that a call that waits long is no call that hangs."""
    return bool(getattr(engine_class(role, config.engine), "limits_itself", False))


def kernels(role: str, config: EngineConfig) -> str | None:
    """Return the kernels that compute the engine's answers on a machine like this one, if its class names them."""
    said = getattr(engine_class(role, config.engine), "kernels", None)
    return said(config.settings) if said else None


def absent_modules(names: Sequence[str], python: str | None) -> set[str]:
    """Return those of the modules that `python` (default: this interpreter) cannot find.

    Raises:
        UserError: `python` cannot be run.
    """
    if python is None:
        return {n for n in names if importlib.util.find_spec(n) is None}
    if not names:
        return set()
    look = "import importlib.util, sys; print(*(n for n in sys.argv[1:] if importlib.util.find_spec(n) is None))"
    try:
        done = subprocess.run([python, "-c", look, *names], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise UserError(f"python {python!r} cannot be started: {getattr(e, 'strerror', None) or 'no answer'}") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise UserError(f"python {python!r} does not work (exit code {done.returncode}): {said}")
    return set(done.stdout.split())


def build(role: str, config: EngineConfig, helpers: Mapping[str, Any]) -> Any:
    """Load an engine; this may take long."""
    return engine_class(role, config.engine)(**{r: helpers[r] for r in uses(role, config)}, **config.settings)
