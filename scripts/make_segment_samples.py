"""Make the sample corpora of segments out of long recordings: GigaSpeech (both forms) and LibriHeavy.

    python scripts/make_segment_samples.py [--emilia TAR] [--out samples]

The recordings are put together from the clips of the Emilia sample, which `make_samples.py` made, with pauses, a few
seconds of made-up music, noise and hum between them. Needs the package with its `cpu` extra (PyAV comes with
faster-whisper). The same versions give the same bytes. Takes seconds.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile as sf
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE = 16_000
HERE = Path(__file__).resolve().parent
ALL = ["{XL}", "{L}", "{M}", "{S}", "{XS}"]
MARKS = {",": "<COMMA>", ".": "<PERIOD>", "?": "<QUESTIONMARK>", "!": "<EXCLAMATIONPOINT>"}


def clips(tar: Path) -> dict[str, tuple[str, Samples]]:
    """The clips that are whole, by their number `SPEAKER_CLIP`: text, samples at 16 kHz."""
    found = {}
    with tarfile.open(tar) as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
    for name in (n.removesuffix(".json") for n in members if n.endswith(".json")):
        record = json.loads(members[f"{name}.json"])
        if "broken" in record["origin"]:
            continue
        samples, rate = sf.read(io.BytesIO(members[f"{name}.mp3"]), dtype="float32")
        _, _, speaker, clip = name.split("_")
        key = f"{int(speaker[1:])}_{int(clip[1:])}"
        found[key] = record["text"].strip(), soxr.resample(samples, rate, RATE).astype(np.float32)
    return found


def music(seconds: float) -> Samples:
    """A few chords."""
    t = np.arange(int(seconds * RATE)) / RATE
    chords = np.array([[220, 277.2, 329.6], [246.9, 311.1, 370], [220, 277.2, 329.6]])
    now = chords[np.minimum((t / seconds * 3).astype(int), 2)]
    return (0.1 * np.sin(2 * np.pi * now * t[:, None]).sum(1) * np.sin(np.pi * t / seconds)).astype(np.float32)


def noise(seconds: float) -> Samples:
    return np.random.default_rng(0).normal(0, 0.03, int(seconds * RATE)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.float32)


@dataclass
class Recording:
    """Samples, and where in them which text is: (start, end, text) with times in seconds."""

    parts: list[Samples] = field(default_factory=list)
    segments: list[tuple[float, float, str]] = field(default_factory=list)

    @property
    def samples(self) -> Samples:
        return np.clip(np.concatenate(self.parts), -1, 1)

    def add(self, samples: Samples, text: str = "") -> None:
        start = sum(p.size for p in self.parts) / RATE
        self.parts.append(samples)
        if text:
            self.segments.append((round(start, 3), round(start + samples.size / RATE, 3), text))


def opus(samples: Samples, path: Path) -> None:
    """Ogg Opus, 24 kbit/s, as ffmpeg writes it; `bitexact`, so that no random stream number is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = RATE // 50
    samples = np.pad(samples, (0, -samples.size % frame))
    with av.open(str(path), "w", format="opus", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = 24_000
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for at in range(0, samples.size, frame):
            pcm = (samples[None, at : at + frame] * 32767).astype(np.int16)
            block = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            block.sample_rate, block.pts = RATE, at
            out.mux(stream.encode(block))
        out.mux(stream.encode(None))


def text_tn(text: str) -> str:
    """`Hi, you!` as GigaSpeech has it: `HI <COMMA> YOU <EXCLAMATIONPOINT>`."""
    if text.startswith("<"):
        return text
    for mark, tag in MARKS.items():
        text = text.replace(mark, f" {tag}")
    return text.upper()


def gigaspeech(found: dict[str, tuple[str, Samples]], out: Path) -> None:
    """`GigaSpeech.json` and three recordings, the last one of DEV."""
    podcast, youtube, dev = Recording(), Recording(), Recording()
    podcast.add(music(2.0), "<MUSIC>")
    for key in ("0_0", "0_1"):
        podcast.add(found[key][1], found[key][0])
        podcast.add(silence(0.3))
    podcast.add(silence(1.2), "<SIL>")
    for key in ("0_2", "0_3"):
        podcast.add(found[key][1], found[key][0])
    podcast.add(noise(1.0), "<NOISE>")
    youtube.add(silence(0.5))
    for key in ("1_0", "1_1", "1_2", "3_0"):
        youtube.add(found[key][1], found[key][0])
        youtube.add(silence(0.4))
    youtube.add(found["1_2"][1][::-1][: 2 * RATE].copy(), "<OTHER>")
    youtube.add(found["2_1"][1], found["2_1"][0])
    dev.add(found["4_0"][1], found["4_0"][0])
    audios = []
    for aid, path, source, recording, subsets in (
        ("POD1000000001", "audio/podcast/P0001/POD1000000001.opus", "podcast", podcast, ALL),
        ("YOU1000000002", "audio/youtube/P0002/YOU1000000002.opus", "youtube", youtube, ALL[:2]),
        ("YOU1000000003", "audio/youtube/P0002/YOU1000000003.opus", "youtube", dev, ["{DEV}"]),
    ):
        opus(recording.samples, out / path)
        segments = [
            {
                "sid": f"{aid}_S{i:07d}",
                "speaker": "N/A",
                "begin_time": start,
                "end_time": end,
                "subsets": subsets if i % 2 or len(subsets) < 3 else subsets[:3],
                "text_tn": text_tn(text),
            }
            for i, (start, end, text) in enumerate(recording.segments)
        ]
        audios.append(
            {
                "title": "N/A",
                "url": "N/A",
                "path": path,
                "aid": aid,
                "source": source,
                "codec": "opus",
                "channels": 1,
                "md5": hashlib.md5((out / path).read_bytes()).hexdigest(),
                "format": "opus",
                "sample_rate": RATE,
                "duration": round(recording.samples.size / RATE, 3),
                "category": "N/A",
                "speaker": "N/A",
                "segments": segments,
                "subsets": subsets,
            }
        )
    whole = {"dataset": "GigaSpeech", "language": "EN", "version": "sample", "audios": audios}
    (out / "GigaSpeech.json").write_text(json.dumps(whole, indent=2) + "\n")


def gigaspeech_parquet(found: dict[str, tuple[str, Samples]], path: Path) -> None:
    """Three rows as Hugging Face has them: 16 kHz WAV inside, times as 32-bit numbers. The last has lost its clip."""
    rows = []
    for i, (text, samples) in enumerate((found["4_0"], ("<NOISE>", noise(0.5)), ("This clip is gone.", silence(1)))):
        wav = io.BytesIO()
        sf.write(wav, samples, RATE, format="WAV", subtype="PCM_16")
        sid = f"POD1000000004_S{i:07d}"
        row: dict[str, Any] = {
            "segment_id": sid,
            "speaker": "N/A",
            "text": text_tn(text),
            "audio": {"bytes": None if "gone" in text else wav.getvalue(), "path": f"{sid}.wav"},
            "begin_time": 10.0 * i + 1.89,
            "end_time": 10.0 * i + 1.89 + samples.size / RATE,
            "audio_id": "POD1000000004",
            "title": "N/A",
            "url": "N/A",
            "source": 1,
            "category": 24,
            "original_full_path": "audio/podcast/P0001/POD1000000004.opus",
        }
        rows.append(row)
    audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    special = {"audio": audio, "begin_time": pa.float32(), "end_time": pa.float32(), "source": pa.int64()}
    special["category"] = pa.int64()
    schema = pa.schema([(name, special.get(name, pa.string())) for name in rows[0]])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=2)


def libriheavy(found: dict[str, tuple[str, Samples]], out: Path) -> None:
    """Three chapters of LibriLight, and both forms of the manifest: five cuts, and one whose chapter is not there."""
    cuts = []
    books = (("100", "first_book", ("1_1", "1_0")), ("101", "second_book", ("2_0", "2_1")))
    for speaker, book, keys in (*books, ("102", "third_book", ("4_0",))):
        name = f"small/{speaker}/{book}/01_{book}_64kb"
        chapter = Recording()
        for key in keys:
            chapter.add(silence(0.25))
            chapter.add(found[key][1], found[key][0])
        path = out / "librilight" / f"{name}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, chapter.samples, RATE, format="FLAC", subtype="PCM_16")
        cuts += [_cut(name, i, speaker, chapter, at) for i, at in enumerate(chapter.segments)]
    lost = Recording([silence(2.0)], [(0.0, 2.0, "Nobody fetched this chapter.")])
    cuts.insert(2, _cut("small/103/fourth_book/01_fourth_book_64kb", 0, "103", lost, lost.segments[0]))
    _write(out / "libriheavy_cuts_small.jsonl.gz", cuts)
    for cut in cuts:
        supervision = cut["supervisions"][0]
        supervision["text"] = supervision.pop("custom")["texts"][0]
    _write(out / "cases_and_punc" / "lhotse" / "libriheavy_cuts_small.jsonl.gz", cuts)


def _cut(name: str, i: int, speaker: str, chapter: Recording, segment: tuple[float, float, str]) -> dict[str, Any]:
    start, end, text = segment
    duration = round(end - start, 3)
    spoken = "".join(c for c in text.upper() if c.isalpha() or c in " '")
    before = chapter.segments[i - 1][2] if i else ""
    source = {"type": "file", "channels": [0], "source": f"download/librilight/{name}.flac"}
    frames = chapter.samples.size
    return {
        "id": f"{name}_{i}",
        "start": start,
        "duration": duration,
        "channel": 0,
        "supervisions": [
            {
                "id": f"{name}_{i}",
                "recording_id": name,
                "start": 0,
                "duration": duration,
                "channel": 0,
                "language": "English",
                "speaker": speaker,
                "custom": {
                    "texts": [text, spoken],
                    "pre_texts": [before, before.upper()],
                    "begin_byte": 0,
                    "end_byte": len(text),
                },
            }
        ],
        "recording": {
            "id": name,
            "sources": [source],
            "sampling_rate": RATE,
            "num_samples": frames,
            "duration": frames / RATE,
            "channel_ids": [0],
        },
        "custom": {"text_path": "download/librilight_text/output_text_small_cleaned/Sample/text.txt"},
        "type": "MonoCut",
    }


def _write(path: Path, cuts: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:  # no name, no time
        for cut in cuts:
            packed.write(json.dumps(cut, ensure_ascii=False).encode() + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    samples = HERE.parent / "samples"
    parser.add_argument("--emilia", type=Path, default=samples / "emilia" / "Emilia" / "EN" / "EN-B000000.tar")
    parser.add_argument("--out", type=Path, default=samples)
    args = parser.parse_args()
    found = clips(args.emilia)
    gigaspeech(found, args.out / "gigaspeech")
    gigaspeech_parquet(found, args.out / "gigaspeech-parquet" / "xs" / "train-00000-of-00001.parquet")
    libriheavy(found, args.out / "libriheavy")


if __name__ == "__main__":
    main()
