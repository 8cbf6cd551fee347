"""The arithmetic of an estimate, by hand on round figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ieat_data.cli.cost import estimate_tables
from ieat_data.config import Pipeline, Profile, load_pipeline, load_profile
from ieat_data.cost.corpora import Corpus, Stated, corpora, parse_sizes
from ieat_data.cost.estimate import Estimate, estimate
from ieat_data.cost.figures import Figure, Figures, cost_table, sample_accept
from ieat_data.errors import UserError
from ieat_data.execution.order import stages_of
from ieat_data.stages import CONFIGS

SPEECH = Corpus("s", "speech", "emilia", "en", 1000, True)
TEXT = Corpus("t", "text", "ultrachat", "en", 1000, True)


def measured(**values: float) -> dict[str, Figure]:
    return {k.replace("__", "."): Figure(value=v, kind="measured", source="by hand") for k, v in values.items()}


ROUND = measured(
    accept__ingest=0.9, accept__queries=0.5, accept__select=0.8, accept__synthesize=0.75, accept__transcribe=0.5,
    accept__respond=0.8, accept__emotion=0.5, accept__inject=0.5, accept__inject_dialogues=0.5,
    accept__speak_questions=1,
    neutral__inject=0.5, used__reorganise=0.5,
    clip_s__s=10, clip_s__synthesize=6, clip_s__speak_questions=2,
    tries__respond=2, tries__inject=3, tries__inject_dialogues=2, tries__synthesize=1.5, tries__speak_questions=1,
    tokens_in__respond=100, tokens_in__inject=400, tokens_in__inject_dialogues=500,
    tokens_out__respond=20, tokens_out__inject=50, tokens_out__inject_dialogues=100,
    bytes_per_s__s=8000, bytes__respond=300,
    openings__inject=1.5, openings__inject_dialogues=2, tokens_out__opening=40,
    speed__llm=100, speed__asr=50, speed__ser=20, speed__tts=2,
)  # fmt: skip


STAGE_1 = tuple(t for t in CONFIGS if t.startswith("stage1"))


def plan(
    pipeline: dict[str, Any] | None = None, profile: str = "gpu", figures: Figures | None = None, **rest: Any
) -> Estimate:
    stages = {
        "inject": {"neutral_share": 0.5, "neutral_reasoning_share": 1.0, "reasoning_share": 0.5},
        "reorganise": {"share": 0.4, "turns": {2: 1, 4: 1}},
    }
    given = {"name": "p", "sources": {}, "configs": STAGE_1, "instructions": {"gap_s": [0.5, 0.5]}, "stages": stages}
    given.update(pipeline or {})
    figures = figures or Figures(ROUND)
    return estimate(Pipeline.model_validate(given), load_profile(profile), [SPEECH, TEXT], figures, **rest)


def test_rows_audio_and_tokens_by_hand() -> None:
    e = plan()
    x = e.loads
    assert (x["ingest"].rows, x["ingest"].ok, x["ingest"].audio_s) == (1000, 900, 9000)
    assert x["ingest"].bytes == 9000 * 8000
    assert (x["queries"].ok, x["select"].ok) == (500, 400)
    assert (x["synthesize"].rows, x["synthesize"].ok, x["synthesize"].audio_s) == (400, 300, 1800)
    assert x["synthesize"].asks["tts"].requests == x["synthesize"].asks["asr"].requests == 600
    assert x["synthesize"].asks["tts"].audio_s == 3600
    assert x["transcribe"].asks["asr"].audio_s == 9000, "what was synthesized was heard at its check"
    assert (x["transcribe"].rows, x["transcribe"].ok) == (1200, 600)
    assert x["respond"].asks["llm"].tokens_out == 600 * 2 * 20
    assert x["respond"].asks["llm"].tokens_in == 600 * 2 * 100
    assert x["respond"].bytes == 600 * 300
    assert x["emotion"].asks["ser"].audio_s == pytest.approx(600 * 9)  # 10,800 s in 1,200 clips
    # 600 labelled, half fit, 0.8 of them replied to, half of the neutral half left out: 180, of which 1.5 targets each
    assert x["inject"].rows == pytest.approx(600 * 0.5 * 0.8 * 0.75 * 1.5)
    assert x["inject"].ok == pytest.approx(135)
    # 90 empathy samples, 0.4 of them drawn, half of those used, in dialogues of 3 turns on average
    assert x["reorganise"].ok == pytest.approx(90 * 0.4 * 0.5 / 3)
    assert x["inject_dialogues"].rows == pytest.approx(6 * 1.5)  # trajectory 1, reasoning 0.5
    assert x["stage1_1"].rows == pytest.approx(480)
    assert x["stage1_1"].audio_s == pytest.approx(480 * 9)
    assert x["stage1_2_empathy"].rows == pytest.approx(90 - 18 + 6)
    assert x["stage1_2_empathy"].audio_s == pytest.approx((72 + 18) * 9)
    assert x["stage1_2_reasoning"].rows == pytest.approx(45 + 1.5)
    assert x["stage1_2_trajectory"].rows == pytest.approx(3)
    assert x["stage1_2_trajectory"].audio_s == pytest.approx(3 * (27 + 2.5))


@pytest.mark.parametrize(("profile", "clips", "voices"), [("gpu", 50, 50), ("cpu", 0, 11)])
def test_speakers_are_those_of_a_corpus_only_where_voices_are_cloned(profile: str, clips: int, voices: int) -> None:
    loads = plan({"sources": {"speakers": ["sample-wenetspeech4tts"]}}, profile).loads
    assert (loads["prompt_clips"].ok, loads["speakers"].ok) == (clips, voices)
    assert (loads["speakers"].bytes > 1e6) == (clips > 0), "only a clip takes megabytes"


def test_few_neutral_utterances_are_asked_for_reasoning() -> None:
    settings = {"neutral_share": 0.5, "neutral_reasoning_share": 0.2, "reasoning_share": 0.5}
    x = plan({"stages": {"inject": settings}}).loads
    # 240 with reply and label, 120 neutral, of which 60 are used: empathy of 180, reasoning of (120 + 0.2 * 60) / 2
    assert x["inject"].rows == pytest.approx(180 + 66)
    assert x["stage1_2_reasoning"].rows > 0.5 * 66


def test_work_hours_and_money_by_hand() -> None:
    e = plan(gpus=4, price=2.0)
    tokens = 600 * 2 * 20 + 270 * (3 * 50 + 1.5 * 40) + 9 * (2 * 100 + 2 * 40)
    assert e.pools["llm"].work == pytest.approx(tokens)
    assert e.pools["llm"].hours == pytest.approx(tokens / 100 / 3600)
    assert e.pools["ser"].hours == pytest.approx(5400 / 20 / 3600)
    times = {r: p.hours / e.replicas[r] for r, p in e.pools.items() if p.hours}
    assert e.hours == pytest.approx(max(times.values()))
    assert e.slowest == max(times, key=times.get)  # type: ignore[arg-type]
    assert e.money == pytest.approx(4 * e.hours * 2.0)
    assert e.gpu_hours == pytest.approx(sum((p.hours or 0.0) * p.gpus for p in e.pools.values()))


def test_a_plan_says_that_replicas_move(capsys: pytest.CaptureFixture[str]) -> None:
    fixed = plan()
    estimate_tables(fixed)
    assert "autoscale" not in capsys.readouterr().out
    estimate_tables(replace(fixed, autoscale=True))
    assert "autoscale: that is the split at the start; replicas move while the build runs" in capsys.readouterr().out


def test_more_gpus_are_never_slower_and_too_few_are_refused() -> None:
    hours = [plan(gpus=n).hours or 0.0 for n in range(2, 40)]
    assert hours == sorted(hours, reverse=True)
    assert hours[0] > 10 * hours[-1]
    with pytest.raises(UserError, match=r"--gpus 1: one replica of each engine \(llm 1, asr 0.2, .*\) takes 2"):
        plan(gpus=1)
    assert plan().gpus == 2, "what the profile's replicas take"


def test_what_is_measured_takes_the_place_of_what_is_published() -> None:
    published, own = plan(figures=Figures()), plan(figures=Figures(measured(speed__llm=1000.0)))
    assert published.pools["llm"].speed.value == 16360
    assert published.figures["speed.llm"].kind == "benchmark"
    assert own.figures["speed.llm"].kind == "measured"
    assert own.pools["llm"].hours == pytest.approx(published.pools["llm"].hours * 16.36)
    # also under a name for one model: what Qwen3 said here goes before the guess for Qwen3
    assert published.figures["tokens_out.inject.qwen3"].kind == "guess"
    said = plan(figures=Figures(measured(tokens_out__inject=70)))
    assert said.figures["tokens_out.inject"].value == 70
    assert "tokens_out.inject.qwen3" not in said.figures


def test_a_replica_with_a_part_of_a_gpu_has_that_part_of_its_speed() -> None:
    def speed(**tts: Any) -> float:
        engine = {"engine": "cosyvoice2", "settings": {"model": "models/CosyVoice2-0.5B"}, **tts}
        profile = Profile.model_validate({"name": "p", "engines": {"tts": engine}})
        _, figure = Figures().speed("tts", profile.engines["tts"])
        assert figure is not None
        return figure.value

    assert speed(num_gpus=0.1) == pytest.approx(12.2 * 0.1)
    assert speed(num_gpus=1) == 1.44, "one process speaks one utterance at a time"
    served = {"engine": "openai", "settings": {"model": "CosyVoice2-0.5B", "base_urls": ["http://a", "http://b"]}}
    profile = Profile.model_validate({"name": "p", "engines": {"tts": served}})
    assert Figures().speed("tts", profile.engines["tts"])[1].value == 12.2
    both = Figures(measured(speed__tts=30.0)).speed("tts", profile.engines["tts"])
    assert both[1].value == 15, "of one server"
    cpu = load_profile("cpu")
    assert {r: Figures().speed(r, c)[1].value for r, c in cpu.engines.items()} == {
        "llm": 12,
        "asr": 1.4,
        "ser": 4.1,
        "tts": 1.9,
        "codec": 1e6,
        "mos": 14,
    }


def test_engines_that_judge_clips_are_reckoned_where_a_pipeline_asks_them() -> None:
    pipeline = load_pipeline("stage1-2", ["stages.mos={}", "stages.same_speaker={}"])
    profile = load_profile("gpu", ["engines.mos={engine: dnsmos}"])
    loads = estimate(pipeline, profile, [SPEECH, TEXT], Figures()).loads
    spoken = loads["synthesize"].audio_s
    assert loads["mos"].asks["mos"].audio_s == pytest.approx(loads["ingest"].audio_s + spoken)
    assert loads["same_speaker"].asks["speaker"].audio_s == pytest.approx(spoken)
    assert (
        loads["transcribe"].rows
        == estimate(load_pipeline("stage1-2"), load_profile("gpu"), [SPEECH, TEXT], Figures()).loads["transcribe"].rows
    )


def test_openings_are_asked_where_the_model_begins_by_itself() -> None:
    written = {"stages": {"inject": {"opening": "written"}, "inject_dialogues": {"opening": "written"}}}
    native, without = plan({"stages": {}}).loads, plan(written).loads
    for stage, tries in (("inject", 1.5), ("inject_dialogues", 2)):
        rows, one, other = native[stage].rows, native[stage].asks["llm"], without[stage].asks["llm"]
        assert one.requests == pytest.approx(other.requests + rows * tries)
        assert one.tokens_out == pytest.approx(other.tokens_out + rows * tries * 40)
        assert one.tokens_in > other.tokens_in
    small = plan({"stages": {}}, profile="cpu").loads
    assert small["inject"].asks["llm"].requests == without["inject"].asks["llm"].requests


def test_a_judge_is_reckoned_where_a_pipeline_asks_one() -> None:
    own: dict[str, float] = {"tries.judge_targets": 6, "tokens_in.judge_targets": 200, "tokens_out.judge_targets": 30}
    own |= {"tries.judge_dialogues": 4, "tokens_in.judge_dialogues": 300, "tokens_out.judge_dialogues": 50}
    own |= {"accept.judge_targets": 0.8, "accept.judge_dialogues": 0.5}
    figures = Figures(ROUND | measured(**own))
    without, judged = plan(), plan({"judge": {"min_score": 2.5}}, figures=figures)
    assert not [name for name in without.loads if name.startswith("judge_")]
    x = judged.loads
    assert x["judge_targets"].rows == x["inject"].ok == pytest.approx(135)
    ask = x["judge_targets"].asks["llm"]
    assert (ask.requests, ask.tokens_in, ask.tokens_out) == pytest.approx((810, 162000, 24300))
    # what it rejects is in no dialogue and in no sample
    assert x["reorganise"].ok == pytest.approx(0.8 * without.loads["reorganise"].ok)
    assert x["judge_dialogues"].rows == x["inject_dialogues"].ok == pytest.approx(0.8 * 4.5)
    assert x["judge_dialogues"].asks["llm"].tokens_out == pytest.approx(3.6 * 4 * 50)
    assert x["stage1_2_trajectory"].rows == pytest.approx(0.5 * 0.8 * without.loads["stage1_2_trajectory"].rows)
    assert x["stage1_2_reasoning"].rows == pytest.approx(0.8 * 45 + 0.5 * 0.8 * 1.5)
    more = 24300 + 720 - 0.2 * 9 * (2 * 100 + 2 * 40)
    assert judged.pools["llm"].work == pytest.approx(without.pools["llm"].work + more)


def test_an_engine_of_ones_own_has_no_speed_and_no_time_is_told() -> None:
    profile = Profile.model_validate({"name": "p", "engines": {"tts": {"engine": "tests.support.doubles:TTS"}}})
    assert Figures().speed("tts", profile.engines["tts"]) == ("audio_s", None)
    e = estimate(
        load_pipeline("stage1-2"),
        load_profile("gpu", ["engines.tts.engine=tests.support.doubles:TTS", "engines.tts.settings={}"]),
        [SPEECH, TEXT],
        Figures(),
    )
    assert e.hours is None
    assert e.money is None
    assert e.pools["tts"].work > 0


def test_a_pipeline_may_lack_speech_or_text_and_targets() -> None:
    profile, pipeline = load_profile("gpu"), load_pipeline("stage1-1")
    speech = estimate(pipeline, profile, [SPEECH], Figures(ROUND))
    assert list(speech.loads) == stages_of(pipeline), "no stage goes uncosted"
    assert speech.pools["tts"].work == 0
    assert speech.loads["stage1_1"].rows == pytest.approx(900 * 0.5 * 0.8)
    text = estimate(pipeline, profile, [TEXT], Figures(ROUND))
    assert text.loads["transcribe"].asks["asr"].audio_s == 0
    assert text.loads["stage1_1"].rows == pytest.approx(300 * 0.5 * 0.8)
    nothing = estimate(load_pipeline("stage1-2"), profile, [], Figures(ROUND))
    assert nothing.hours == 0


def test_a_source_gives_no_more_than_the_pipeline_takes() -> None:
    stages = {"select": {"per_source": 100}}
    assert plan({"stages": stages}).loads["select"].ok == 100
    assert plan({"stages": {"select": {"per_source": 1000}}}).loads["select"].ok == pytest.approx(400)


def test_engines_that_take_turns_add_up(tmp_path: Path) -> None:
    (tmp_path / "turns.yaml").write_text("name: turns\nbase: cpu\nshards_in_flight: 1\n", "utf-8")
    e = plan(profile=str(tmp_path / "turns.yaml"))
    assert e.gpus == 0
    assert e.hours == pytest.approx(sum(p.hours or 0.0 for p in e.pools.values()))


def test_sizes_are_stated_for_one_source_or_for_all_the_others() -> None:
    pipeline, profile, figures = load_pipeline("stage1-2"), load_profile("gpu"), Figures()

    def rows(stated: Stated) -> dict[str, tuple[int, bool]]:
        return {c.name: (c.rows, c.stated) for c in corpora(pipeline, profile, stated, figures)}

    there = rows(Stated({}, {}))
    assert there == {f"sample-{n}": (r, False) for n, r in
                     (("emilia-en", 15), ("emilia-zh", 15), ("belle", 21), ("ultrachat", 21))}  # fmt: skip
    assert set(rows(Stated({"": 400}, {})).values()) == {(100, True)}
    one = rows(Stated({"sample-belle": 7, "": 300}, {}))
    assert one["sample-belle"] == (7, True)
    assert one["sample-ultrachat"] == (100, True)
    hours = rows(Stated({}, {"sample-emilia-en": 99}))
    assert hours["sample-emilia-en"] == (36_000, True), "9.9 s a clip"
    assert hours["sample-emilia-zh"] == (15, False)
    both = rows(Stated({"": 50}, {"": 198}))
    assert both["sample-emilia-en"] == (36_000, True)
    assert both["sample-belle"] == (25, True)
    limited = pipeline.model_copy(update={"limit": 10})
    assert {c.rows for c in corpora(limited, profile, Stated({"": 4000}, {}), figures)} == {10}


def test_sizes_that_cannot_be_are_one_line() -> None:
    assert parse_sizes("--rows", ["50M", "a=2.5k", "b=1_000"]) == {"": 50e6, "a": 2500, "b": 1000}
    for wrong in ("many", "-3", "a=", "5G"):
        with pytest.raises(UserError, match=r"--rows '.*': expected a number"):
            parse_sizes("--rows", [wrong])
    pipeline, profile = load_pipeline("stage1-2"), load_profile("gpu")
    with pytest.raises(UserError, match=r"'sample-bele' is not a source .*\(did you mean 'sample-belle'\?\)"):
        corpora(pipeline, profile, Stated({"sample-bele": 1}, {}), Figures())
    with pytest.raises(UserError, match="sample-belle holds text: use --rows"):
        corpora(pipeline, profile, Stated({}, {"sample-belle": 1}), Figures())


def test_every_figure_has_a_source_and_every_stage_an_accept_rate() -> None:
    assert all(len(f.source) > 3 and f.kind != "measured" for f in cost_table().figures.values())
    assert all(len(s.source) > 20 and s.kind != "measured" for s in cost_table().speeds)
    assert 0.5 < sample_accept()["accept.inject"].value < 1
    assert "manifests/sample.json" in sample_accept()["accept.inject"].source


def test_written_turns_by_hand() -> None:
    own = {"used.reorganise.written": 0.5, "neutral.inject": 0.25, "clip_s.speak_turns": 4.0}
    own |= {"accept.write_turns": 0.8, "accept.speak_turns": 1.0, "accept.written_signal_quality": 1.0}
    own |= {"accept.transcribe_turns": 1.0, "accept.emotion_turns": 0.5, "accept.inject_turns": 0.5}
    own |= {"tries.write_turns": 2, "tokens_in.write_turns": 300, "tokens_out.write_turns": 30, "tries.speak_turns": 1}
    own |= {"tries.inject_turns": 2, "accept.decontaminate_turns": 1.0, "accept.dedup_turns": 0.9}
    stages = {"reorganise": {"grouping": "written", "share": 0.4, "turns": {2: 1, 4: 1}}}
    figures = Figures(ROUND | measured(**{k.replace(".", "__"): v for k, v in own.items()}))
    x = plan({"stages": stages}, figures=figures).loads
    empathy = x["dedup_targets"].ok * 1 / (1 + 0.75 + 0.25 * 0.1)  # beside reasoning, of which neutral has a tenth
    seeds = empathy * 0.4 * 0.75  # none begins neutral; the engine clones, so that recorded users go on too
    assert x["write_turns"].rows == pytest.approx(seeds * 2)
    assert x["write_turns"].asks["llm"].tokens_out == pytest.approx(seeds * 2 * 2 * 30)
    assert x["speak_turns"].audio_s == pytest.approx(seeds * 2 * 0.8 * 4)
    assert x["emotion_turns"].asks["ser"].audio_s == pytest.approx(seeds * 2 * 0.8 * 4)
    assert x["inject_turns"].rows == pytest.approx(seeds * 2 * 0.8 * 0.5)
    assert x["reorganise"].ok == pytest.approx(seeds * 0.5)
    # a sample that begins a dialogue is no longer single; its other turns are new
    assert x["stage1_2_empathy"].rows == pytest.approx(empathy)
    kokoro = plan({"stages": stages}, "cpu", figures).loads
    spoken = kokoro["synthesize"].ok / (kokoro["ingest"].ok + kokoro["synthesize"].ok)
    assert kokoro["write_turns"].rows == pytest.approx(x["write_turns"].rows * spoken), "it clones no recorded user"
    assert "write_turns" not in plan().loads
