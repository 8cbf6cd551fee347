"""The shipped pipelines read the samples of all corpora: stages 1-1 and 1-2 those of `corpora`, stage 2 its own."""

from __future__ import annotations

from collections import Counter

from ieat_data.config import Pipeline, load_pipeline, load_profile, load_source
from ieat_data.corpora import READERS
from ieat_data.stages.base import Context, Inputs
from ieat_data.stages.speech.ingest import Ingest, IngestSettings, Queries, QueriesSettings, SourceStage

OF_ONE_S_OWN = {"folder", "texts", "hf", "lhotse"}  # readers of no published corpus: each of their tests writes its own


def counted(stage: SourceStage, pipeline: Pipeline) -> Counter[tuple[str, str]]:
    """(source, reason or ok) of the rows of a stage that reads corpora."""
    ctx = Context(pipeline, load_profile("cpu"))
    tasks = stage.tasks(lambda table: [], pipeline, ctx.profile)
    tables = (table for task in tasks for _, table in stage.run(task, Inputs({}), ctx))
    return Counter((row["source"], row["reason"] or "ok") for table in tables for row in table.to_pylist())


def test_every_reader_has_a_sample_that_a_pipeline_reads() -> None:
    spoken, stage2 = load_pipeline("corpora").sources, load_pipeline("stage2").sources
    readers = {load_source(name).reader for name in (*spoken.speech, *spoken.text, *stage2.speech)}
    assert readers == set(READERS) - OF_ONE_S_OWN


def test_stages_1_1_and_1_2_get_clips_and_queries_of_each() -> None:
    pipeline = load_pipeline("corpora")
    assert counted(Ingest(IngestSettings()), pipeline) == {
        ("sample-emilia-en", "ok"): 12,
        ("sample-emilia-en", "undecodable_audio"): 1,
        ("sample-emilia-en", "too_short_audio"): 1,
        ("sample-emilia-en", "missing_audio"): 1,
        ("sample-emilia-raw", "ok"): 5,
        ("sample-emilia-raw", "missing_audio"): 1,
        ("sample-emilia-raw", "unsafe_path"): 1,
        ("sample-emilia-raw", "bad_json"): 1,
        ("sample-wenetspeech4tts", "ok"): 10,
        ("sample-wenetspeech4tts", "missing_text"): 1,
        ("sample-wenetspeech4tts", "id_mismatch"): 1,
        ("sample-gigaspeech", "ok"): 9,
        ("sample-gigaspeech", "not_speech"): 4,
        ("sample-gigaspeech-parquet", "ok"): 1,
        ("sample-gigaspeech-parquet", "not_speech"): 1,
        ("sample-gigaspeech-parquet", "missing_audio"): 1,
    }
    ok = {name: n for (name, reason), n in counted(Queries(QueriesSettings()), pipeline).items() if reason == "ok"}
    # the duplicate is no matter of one row: it goes later
    assert ok == {"sample-belle": 13, "sample-ultrachat": 13, "sample-ultrachat-200k": 5}


def test_stage_2_gets_clips_of_each() -> None:
    counts = counted(Ingest(IngestSettings()), load_pipeline("stage2"))
    ok = {name: n for (name, reason), n in counts.items() if reason == "ok"}
    assert ok == {"sample-emilia-en": 12, "sample-emilia-zh": 12, "sample-libriheavy": 5}
