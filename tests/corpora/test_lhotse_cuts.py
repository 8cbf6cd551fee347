"""Lhotse manifests of a user's own, packed or not. That Lhotse reads the same: test_lhotse.py."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ieat_data.corpora.io.base import SpeechRecord
from ieat_data.corpora.io.units import SourceError
from ieat_data.corpora.lhotse_cuts import LhotseReader
from ieat_data.data.audio import duration


def cut(name: str, start: float, source: str, *supervisions: dict[str, Any], **more: Any) -> dict[str, Any]:
    recording = {"id": "r", "sources": [{"type": "file", "channels": [0], "source": source}], "sampling_rate": 16_000}
    said = [{"id": f"{name}-{i}", "start": 0.0, "duration": 1.0, **s} for i, s in enumerate(supervisions)]
    return {"id": name, "start": start, "duration": 1.0, "channel": 0, "supervisions": said, "recording": recording,
            "type": "MonoCut", **more}  # fmt: skip


CUTS = [
    cut("a", 0.5, "wavs/r.wav", {"text": "one", "speaker": "anna", "language": "English"}),
    cut("b", 1.5, "/old/wavs/r.wav", {"text": "二", "language": "zh"}),
    cut("c", 0.0, "wavs/r.wav", {"text": "x"}, {"text": "y"}),
    cut("d", 0.0, "../outside.wav", {"text": "x"}),
    cut("e", 0.0, "wavs/gone.wav", {"text": "x"}),
    cut("f", 0.0, "wavs/r.wav", {"text": "x"}, type="MixedCut"),
]


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    (tmp_path / "audio" / "wavs").mkdir(parents=True)
    soundfile.write(tmp_path / "audio" / "wavs" / "r.wav", [0.1, -0.1] * 24_000, 16_000)
    return tmp_path / "audio"


@pytest.mark.parametrize("name", ["my_cuts.jsonl.gz", "cuts.jsonl"])
def test_cuts_are_cut_out_of_their_recordings(tmp_path: Path, audio: Path, name: str) -> None:
    lines = "".join(json.dumps(c, ensure_ascii=False) + "\n" for c in CUTS).encode() + b"{broken\n"
    (tmp_path / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    for root, folder in ((tmp_path / name, "audio"), (tmp_path, str(audio))):
        reader = LhotseReader(root, "en", folder, prefix="/old")
        found = [r for unit in reader.plan(2) for r in reader.read(unit)]
        assert [r.text if isinstance(r, SpeechRecord) else r.reason for r in found] == [
            "one", "二", "many_supervisions", "unsafe_path", "missing_audio", "not_mono_cut", "bad_json",
        ]  # fmt: skip
        good = [r for r in found if isinstance(r, SpeechRecord)]
        assert [(r.speaker, r.language) for r in good] == [("anna", "en"), ("", "zh")]
        assert [duration(r.audio)[0] for r in good] == [1.0, 1.0]
        assert "trim_to_supervisions" in found[2].message


def test_a_folder_without_a_manifest_and_a_missing_audio_folder_are_one_line(tmp_path: Path, audio: Path) -> None:
    with pytest.raises(SourceError, match="holds no file"):
        list(LhotseReader(tmp_path, "en").plan(2))
    with pytest.raises(SourceError, match=r"option audio_root: .*no such folder"):
        LhotseReader(tmp_path, "en", "gone")
