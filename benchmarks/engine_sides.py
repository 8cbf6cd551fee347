"""The sides of `engines.py`: `python -m benchmarks.engine_sides llm|asr|tts SIDE REQUESTS ROUNDS`.

Each round asks for something new, as a build does: a side may remember how prompts begin, but not what it answered.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import ROOT
from benchmarks.sides import served
from ieat_data.config import EngineConfig, load_profile
from ieat_data.engines import weights
from ieat_data.engines.base import Generate, Sampling, Segment, Synthesize, Transcribe

RECORDING = ROOT / "recordings" / "sample"
METHODS = {"llm": "generate", "asr": "transcribe", "tts": "synthesize"}
STAGES = {"llm": ("respond", "inject"), "asr": ("synthesize",), "tts": ("synthesize",)}
Work = Callable[[Sequence[Any]], Any]  # does what a round asks for


def requests(role: str, n: int, rounds: int, side: str = "ours") -> list[list[Any]]:
    """Return `n` requests of the recording for each round, as many of each stage; no round has those of another.

    Ours ends an answer where the model does. The others are told to make as many tokens, whatever they are.
    """
    stages = STAGES[role]
    each = n // len(stages)
    texts = {t["id"]: Segment(t["text"], t["control"]) for t in _lines(RECORDING / "texts.jsonl")}
    clips = {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in (RECORDING / "clips").iterdir()}
    found: list[list[Any]] = [[] for _ in range(rounds)]
    for stage in stages:
        known = [a for a in _lines(RECORDING / f"answers/{stage}.jsonl") if a["method"] == METHODS[role]]
        for k, (q, answer) in enumerate((a["request"], a["answer"]) for a in known[: rounds * each]):
            if role == "llm":
                prompt, sampling = tuple(texts[t] for t in q["prompt"]), q["sampling"]
                if side != "ours":
                    sampling |= {"max_tokens": len(answer["token_ids"]) + 1}
                found[k // each].append(Generate(prompt, Sampling(**sampling), q["seed"], q["shared"]))
            elif role == "asr":
                found[k // each].append(Transcribe(clips[q["audio"]["sha256"]].read_bytes(), q["language"]))
            else:
                found[k // each].append(Synthesize(q["text"], q["language"], q["voice"], q["seed"]))
    return found


def ours(role: str) -> Work:
    """As a build asks: every time into an empty store of answers."""
    import ray

    from ieat_data.engines import registry
    from ieat_data.engines.cache import ResponseCache
    from ieat_data.engines.client import EngineClient
    from ieat_data.execution.ray_actors import EngineActor
    from ieat_data.execution.ray_calls import RayPool

    profile = load_profile("cpu", [])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    options: Any = {"num_cpus": 0, "name": f"{role}-0"}
    actor: Any = ray.remote(**options)(EngineActor).remote(role, profile.model_dump(mode="json"), {})
    ray.get(actor.ready.remote())
    identity, config = registry.identity(role, profile), profile.engines[role]  # type: ignore[index]

    def work(asked: Sequence[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            cache = ResponseCache(Path(folder))
            client = EngineClient(RayPool([actor]), chunk=config.chunk, identity=identity, cache=cache)
            client(METHODS[role], asked, [str(i) for i in range(len(asked))])
            cache.close()

    return work


def llm_library(settings: Mapping[str, Any]) -> Work:
    """Its server, with the same tokens, sampling and threads, and its own memory of the last prompt."""
    from ieat_data.engines.llm.llamacpp import LlamaCpp, _sampling, _seed

    engine = LlamaCpp(**settings)

    def work(asked: Sequence[Generate]) -> None:
        for r in asked:
            ids = engine.tokenizer.encode(r.prompt)
            own = {
                **_sampling(r.sampling),
                "n_predict": r.sampling.max_tokens,
                "seed": _seed(r.seed),
                "ignore_eos": True,
            }
            engine._post("/completion", prompt=ids, cache_prompt=True, **own)

    return work


def llm_plain(settings: Mapping[str, Any]) -> Work:
    """A server with its defaults, one text after the other: it remembers prompts, too."""
    import xllamacpp

    from ieat_data.engines.llm.llamacpp import gguf_file

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf_file(weights.resolve(settings["model"])))
    params.n_ctx, params.n_gpu_layers, params.verbosity = settings["context"], 0, -1
    server = xllamacpp.Server(params)

    def work(asked: Sequence[Generate]) -> None:
        for r in asked:
            s = r.sampling
            text = "".join(segment.text for segment in r.prompt)
            sampling = {"temperature": s.temperature, "top_p": s.top_p, "top_k": s.top_k, "seed": r.seed % 2**31}
            server.handle_completions({"prompt": text, "max_tokens": s.max_tokens, "ignore_eos": True, **sampling})

    return work


def asr_library(settings: Mapping[str, Any]) -> Work:
    """The same model, kernels, beam and prompts."""
    from ieat_data.data import audio
    from ieat_data.engines.asr.faster_whisper import _PROMPTS, FasterWhisper

    engine = FasterWhisper(**settings)

    def work(asked: Sequence[Transcribe]) -> None:
        for r in asked:
            samples = audio.decode(r.audio, 16_000, 60.0)[0]
            options = {"temperature": 0.0, "condition_on_previous_text": False, "initial_prompt": _PROMPTS[r.language]}
            list(engine._model.transcribe(samples, language=r.language, beam_size=5, **options)[0])

    return work


def asr_plain(settings: Mapping[str, Any]) -> Work:
    """The quick start of faster-whisper on a CPU."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(weights.resolve(settings["model"])), device="cpu", compute_type="int8")

    def work(asked: Sequence[Transcribe]) -> None:
        for r in asked:
            segments, _ = model.transcribe(io.BytesIO(r.audio), beam_size=5)
            for _segment in segments:
                pass

    return work


def tts_library(settings: Mapping[str, Any]) -> Work:
    """The same session, voices and phonemes."""
    from ieat_data.engines.tts.kokoro import Kokoro
    from ieat_data.engines.tts.text import speakable

    engine = Kokoro(**settings)

    def work(asked: Sequence[Synthesize]) -> None:
        for r in asked:
            english = "en-gb" if r.voice.startswith("b") else "en-us"
            phonemes = engine._phonemes(speakable(r.text), r.language, english)  # type: ignore[arg-type]
            engine._kokoro.create(phonemes, voice=r.voice, is_phonemes=True)

    return work


def tts_plain(settings: Mapping[str, Any]) -> Work:
    """The example of kokoro-onnx, with misaki for Mandarin."""
    from kokoro_onnx import Kokoro
    from misaki.zh import ZHG2P

    kokoro = Kokoro(str(weights.resolve(settings["model"])), str(weights.resolve(settings["voices_model"])))
    g2p = ZHG2P()

    def work(asked: Sequence[Synthesize]) -> None:
        for r in asked:
            if r.language == "zh":
                kokoro.create(g2p(r.text)[0], voice=r.voice, is_phonemes=True)
            else:
                kokoro.create(r.text, voice=r.voice, lang="en-us")

    return work


OTHERS: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Work]] = {
    ("llm", "the library"): llm_library,
    ("llm", "a plain loop"): llm_plain,
    ("asr", "the library"): asr_library,
    ("asr", "a plain loop"): asr_plain,
    ("tts", "the library"): tts_library,
    ("tts", "a plain loop"): tts_plain,
}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def main() -> None:
    role, side, n, rounds = sys.argv[1:]
    turns = iter(requests(role, int(n), int(rounds), side))

    def ready() -> Callable[[], Any]:
        engine: EngineConfig = load_profile("cpu", []).engines[role]  # type: ignore[index]
        work = ours(role) if side == "ours" else OTHERS[role, side](engine.settings)
        return lambda: work(next(turns))

    served(ready)


if __name__ == "__main__":
    main()
