"""What Lhotse makes of the shipped samples is what our readers make of them: ids, texts, times, samples.

Lhotse needs torch, and its recipe of GigaSpeech the package speechcolab: pip install lhotse speechcolab
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ieat_data.corpora.gigaspeech import GigaSpeechReader
from ieat_data.corpora.io.base import BadRecord, SpeechRecord
from ieat_data.corpora.libriheavy import LibriHeavyReader
from ieat_data.data.audio import decode

pytestmark = pytest.mark.engines
SAMPLES = Path(__file__).parents[2] / "samples"


def ours(reader: Any) -> list[SpeechRecord | BadRecord]:
    return [r for unit in reader.plan(3) for r in reader.read(unit)]


def difference(theirs: NDArray[np.float32], record: SpeechRecord) -> float:
    samples, rate = decode(record.audio)
    assert rate == 16_000 and samples.size == theirs.shape[1]
    return float(np.abs(samples - theirs[0]).max())


@pytest.mark.parametrize("subset", ["XS", "M", "XL"])
def test_gigaspeech(tmp_path: Path, subset: str) -> None:
    from lhotse.recipes.gigaspeech import prepare_gigaspeech

    prepared = prepare_gigaspeech(SAMPLES / "gigaspeech", tmp_path, dataset_parts=subset)[subset]
    theirs = [cut for whole in prepared["cuts"] for cut in whole.trim_to_supervisions(keep_overlapping=False)]
    records = ours(GigaSpeechReader(SAMPLES / "gigaspeech", "en", subset))
    assert [c.supervisions[0].id for c in theirs] == [r.key.split("@")[0] for r in records]
    compared = 0
    for cut, record in zip(theirs, records, strict=True):
        supervision = cut.supervisions[0]
        if isinstance(record, BadRecord):
            assert record.reason == "not_speech" and supervision.text in record.message
            continue
        assert record.extra["text_tn"] == supervision.text
        assert record.extra["recording"] == supervision.recording_id
        assert record.extra["start"] == pytest.approx(cut.start, abs=1e-6)
        assert record.extra["duration"] == pytest.approx(cut.duration, abs=1e-6)
        assert difference(cut.load_audio(), record) < 0.005  # another way to an Opus file's middle
        compared += 1
    assert compared == {"XS": 2, "M": 4, "XL": 9}[subset]


@pytest.mark.parametrize("folder", [".", "cases_and_punc/lhotse"])
def test_libriheavy(folder: str) -> None:
    from lhotse import CutSet

    root, audio = SAMPLES / "libriheavy" / folder, SAMPLES / "libriheavy" / "librilight"
    theirs = list(CutSet.from_file(root / "libriheavy_cuts_small.jsonl.gz"))
    records = ours(LibriHeavyReader(root, "en", "small", str(audio)))
    assert [c.id for c in theirs] == [r.key.split("@")[0] for r in records]
    compared = 0
    for cut, record in zip(theirs, records, strict=True):
        (source,) = cut.recording.sources
        source.source = source.source.replace("download/librilight", str(audio))
        if isinstance(record, BadRecord):
            assert not Path(source.source).exists()
            continue
        supervision = cut.supervisions[0]
        text = supervision.custom["texts"][0] if supervision.custom else supervision.text
        assert (record.text, record.speaker) == (text, supervision.speaker)
        assert (record.extra["start"], record.extra["duration"]) == (cut.start, cut.duration)
        assert difference(cut.load_audio(), record) == 0.0
        compared += 1
    assert compared == 5
