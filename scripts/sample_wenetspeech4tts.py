"""The sample of WenetSpeech4TTS, for make_samples.py: archives, lists of files and of scores as the corpus has them."""

from __future__ import annotations

import gzip
import io
import itertools
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE = 16_000
SUBSETS = ("Premium", "Basic")  # the real corpus has Standard between them
Speak = Callable[[str, str, str, float], Samples]  # text, language, voice, speed → samples at 24 kHz


class P808:
    """Quality (1 to 5) as DNSMOS P.808 predicts it, from a Mel spectrogram; the corpus's scores are that number."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._filters = mel_filters(n_fft=321, n_mels=120)

    def __call__(self, samples: Samples) -> float:
        audio = np.resize(samples, 144_000)  # 9 s at 16 kHz: what the model hears; a shorter clip is repeated
        padded = np.pad(audio, 160)
        frames = np.lib.stride_tricks.sliding_window_view(padded, 321)[::160]
        window = np.hanning(322)[:-1]
        mel = np.abs(np.fft.rfft(frames * window)) ** 2 @ self._filters.T
        decibel = 10 * np.log10(np.maximum(mel, 1e-10))
        features = (np.maximum(decibel - decibel.max(), -80) + 40) / 40
        score = self._session.run(None, {"input_1": features[None].astype(np.float32)})[0]
        return round(float(score[0][0]), 4)


def mel_filters(n_fft: int, n_mels: int) -> NDArray[np.float64]:
    """Triangular filters on Slaney's Mel scale from 0 to 8 kHz, each of the same area: (n_mels, n_fft // 2 + 1)."""

    def hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))  # linear below 1 kHz

    edges = hertz(np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), n_mels + 2))
    bins = np.arange(n_fft // 2 + 1) * RATE / n_fft
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def wav(samples: Samples) -> bytes:
    """16 kHz mono WAV of 16 bits."""
    out = io.BytesIO()
    sf.write(out, samples, RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


def txt(id: str, text: str, seconds: float) -> bytes:
    """The id and the text; then when each character is spoken, in ms: here all of them as long as each other."""
    spoken = [c for c in text if c.isalnum()]
    times = np.linspace(0, seconds * 1000, len(spoken) + 1).astype(int).tolist()
    return f"{id}\t{text}\n\t{[list(t) for t in itertools.pairwise(times)]}\n".encode()


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """A tar.gz with its folders as members, without times and owners: the same bytes every time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folders = sorted({str(p) for name in files for p in Path(name).parents if p.name})
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for folder in folders:
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def wenetspeech4tts(texts: dict[str, Any], out: Path, speak: Speak, p808: Callable[[Samples], float]) -> None:
    """An archive for each subset: all recordings, then all texts. Its lists hold the better subsets' lines too."""
    listed: list[str] = []
    scored: list[str] = []
    for subset in SUBSETS:
        pack = f"WenetSpeech4TTS_{subset}_0"
        wavs: dict[str, bytes] = {}
        txts: dict[str, bytes] = {}
        for recording in texts["wenetspeech4tts"][subset]:
            for clip in recording["clips"]:
                id, fault = f"{recording['recording']}_{clip['segment']}", clip.get("fault", "")
                samples = np.zeros(RATE // 2, np.float32)
                if not fault:
                    spoken = speak(clip["text"], "zh", recording["voice"], texts["speed"][clip["feeling"]])
                    samples = np.clip(soxr.resample(spoken, 24_000, RATE), -1, 1).astype(np.float32)
                    scored.append(f"{id}\t{p808(samples)}\n")
                paths = {kind: f"{pack}/{kind}s/{id}.{kind}" for kind in ("wav", "txt")}
                wavs[paths["wav"]] = wav(samples)
                if fault != "missing_text":
                    other = f"{id[:-1]}9" if fault == "id_mismatch" else id
                    txts[paths["txt"]] = txt(other, clip["text"], len(samples) / RATE)
                listed.append("\t".join([id, *(f"../{subset}/{path}" for path in paths.values())]) + "\n")
                print(f"{id}  {len(samples) / RATE:5.2f} s  {fault or scored[-1].split()[1]}  {recording['voice']}")
        write_archive(out / subset / f"{pack}.tar.gz", wavs | txts)
        for name, lines in (("filelists/{}_filelist.lst", listed), ("DNSMOS_P808Scores/{}_DNSMOS.lst", scored)):
            path = out / name.format(subset)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines), "utf-8")
