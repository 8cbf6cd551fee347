"""The client of the engines that ask servers, against a real server that answers badly in every way."""

from __future__ import annotations

import json
import logging
import pickle
import re
import subprocess
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ieat_data.config import EngineConfig, Profile
from ieat_data.engines import registry, servers
from ieat_data.engines.base import Failure
from ieat_data.engines.http import NEUTRAL_SETTINGS, HttpClient, Reply
from ieat_data.errors import EngineDown, UserError
from tests.support.servers import Asked, Say, dead_url, in_turn, serving

OK = Say(body={"ok": 1})
KEY = "sk-Very.Secret_123"


def client(urls: Any, **settings: Any) -> HttpClient:
    return HttpClient("test", urls, **{"max_bytes": 1000, "backoff_s": 0.001, "tries": 4, **settings})


def post(client: HttpClient, body: Any = None) -> Reply | Failure:
    return client.post_json("/completions", body or {})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited, and no waiting."""
    seen: list[float] = []
    began = time.monotonic()
    monkeypatch.setattr(servers, "now", lambda: began + sum(seen) + time.monotonic() - began)
    monkeypatch.setattr(HttpClient, "_pause", lambda self, seconds: bool(seen.append(seconds)))
    return seen


@pytest.mark.parametrize("bad", [Say(429), Say(500, b"oops"), Say(503), Say(body={"a": "b" * 99}, drop=20)])
def test_what_may_go_better_is_tried_again(bad: Say) -> None:
    with serving(in_turn(bad, bad, OK)) as server:
        reply = post(client(server.url), {"n": 1})
        assert isinstance(reply, Reply) and reply.json() == {"ok": 1}
        assert [a.json for a in server.asked] == [{"n": 1}] * 3
        assert {a.path for a in server.asked} == {"/v1/completions"}


def test_waits_double_with_jitter_up_to_a_limit(pauses: list[float]) -> None:
    with serving(Say(500)) as server, pytest.raises(EngineDown, match="after 12 tries"):
        post(client(server.url, tries=12, backoff_s=1.0))
    longest = [min(2.0**i, 30.0) for i in range(11)]
    assert sum(longest) / 2 <= sum(pauses) <= 1.2 * sum(longest)
    assert max(pauses) <= 30.0
    assert len({p % 1 for p in pauses}) > 5, "no two clients in step"


@pytest.mark.parametrize(
    ("header", "least"),
    [("7", 7.0), (formatdate(time.time() + 3600, usegmt=True), 500.0), ("soon", 0.0), ("-4", 0.0)],
    ids=["seconds", "a date", "no number", "negative"],
)
def test_retry_after_is_honoured(pauses: list[float], header: str, least: float) -> None:
    with serving(in_turn(Say(429, headers={"Retry-After": header}), OK)) as server:
        assert isinstance(post(client(server.url)), Reply)
    assert least - 0.1 <= sum(pauses) <= 601


def test_a_busy_server_rests_while_another_works(pauses: list[float]) -> None:
    with serving(Say(429, headers={"Retry-After": "60"})) as busy, serving(OK) as free:
        asking = client([busy.url, free.url])
        assert all(isinstance(post(asking), Reply) for _ in range(6))
        assert len(busy.asked) == 1
        assert max(pauses, default=0.0) < 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_requests_own_fault_is_not_tried_again(status: int) -> None:
    body = {"error": {"message": "no\nsuch \x1b[31mthing " + "x" * 1000}}
    with serving(Say(status, body)) as server:
        reply = post(client(server.url))
        assert isinstance(reply, Reply) and not reply.ok and len(server.asked) == 1
    failure = reply.failure()
    assert failure.reason == "server_refused"
    assert failure.message.startswith(f"{status}: no such [31mthing xxx")
    assert len(failure.message) < 320 and failure.message.isprintable()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"plain words", "plain words"),
        ({"detail": [{"msg": "m"}]}, '[{"msg": "m"}]'),
        ({"message": "m"}, "m"),
        ({"error": "e"}, "e"),
        (b"[" * 5000, "[[["),
        (b"\xff\xfe", ""),
    ],
)
def test_the_servers_words_are_found_in_any_form(body: Any, said: str) -> None:
    with serving(Say(400, body)) as server:
        reply = post(client(server.url))
    assert isinstance(reply, Reply) and reply.message.startswith(said)


@pytest.mark.parametrize(("status", "hint"), [(401, "api_key_env"), (403, "api_key_env"), (404, "`model`"), (405, "")])
def test_a_wrong_setting_stops_everything_at_once(status: int, hint: str) -> None:
    with serving(Say(status, {"error": {"message": "nope"}})) as server:
        with pytest.raises(UserError, match=f"answered {status} to /completions: nope; .*{hint}") as e:
            post(client(server.url))
        assert len(server.asked) == 1
    assert "\n" not in str(e.value)


def test_a_403_after_successes_is_one_requests_own() -> None:
    with serving(in_turn(OK, Say(403, b"blocked by policy"))) as server:
        asking = client(server.url)
        assert isinstance(post(asking), Reply)
        refused = post(asking)
        assert isinstance(refused, Reply) and refused.failure().message == "403: blocked by policy"


def test_redirects_are_not_followed() -> None:
    with serving(OK) as other:
        for status in (301, 302, 307, 308):
            away = Say(status, headers={"Location": f"http://user:pw@{other.root[7:]}/v1/completions?q=1"})
            with serving(away) as server, pytest.raises(UserError, match="a redirect to http://127") as e:
                post(client(server.url))
            assert "pw" not in str(e.value) and "q=1" not in str(e.value)
        assert other.asked == []


def test_a_dead_server_is_passed_over_and_costs_no_try(pauses: list[float]) -> None:
    with serving(OK) as server:
        asking = client([dead_url(), dead_url(), dead_url(), server.url], tries=1)
        for _ in range(5):
            assert isinstance(post(asking), Reply)
        assert len(server.asked) == 5
        assert pauses == []
        # the dead ones are not even tried now
        assert len(asking._servers.awake()) == 1


def test_a_server_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ieat_data.engines.http._PASSED_OVER_S", 0.0)
    with serving(OK) as one, serving(OK) as two:
        asking = client([one.url, two.url])
        for _ in range(6):
            post(asking)
        assert (len(one.asked), len(two.asked)) == (3, 3)


@pytest.mark.parametrize("dead", [1, 3])
def test_servers_that_stay_away_are_no_fault_of_a_row(dead: int, pauses: list[float]) -> None:
    asking = client([dead_url() for _ in range(dead)], tries=3)
    first, second = asking.each(lambda r: post(asking), [1, 2])
    assert isinstance(first, EngineDown) and isinstance(second, EngineDown)
    assert re.match(r"engine test: no answer after \d tries; the last problem: http://127", str(first))
    assert str(pickle.loads(pickle.dumps(first))) == str(first)  # it crosses processes


def test_a_failing_batch_ends_early() -> None:
    """Once one request is given up, those that wait for another try do not wait on."""
    with serving(Say(503)) as server:
        asking = client(server.url, tries=2, backoff_s=0.001, concurrency=1)
        got = asking.each(lambda r: post(asking, {"r": r}), range(20))
        assert all(isinstance(e, EngineDown) for e in got) and "after 2 tries" in str(got[0])
        assert len(server.asked) == 2
        # and the client is still good for another batch; what was left of the first one is asked no more
        server.answer = in_turn(OK)
        assert len(asking.each(lambda r: post(asking), range(3))) == 3
        assert len(server.asked) == 5


def test_requests_go_out_together_within_the_limit_and_come_back_in_order() -> None:
    meeting = threading.Barrier(4)

    def answer(asked: Asked) -> Say:
        meeting.wait(timeout=30)  # breaks, and fails the test, unless four are here at once
        return Say(body={"r": asked.json["r"]})

    with serving(answer) as server:
        asking = client(server.url, concurrency=4)
        replies = asking.each(lambda r: post(asking, {"r": r}), range(12))
        assert [r.json()["r"] for r in replies if isinstance(r, Reply)] == list(range(12))
        assert server.most == 4
        assert asking.each(post, []) == []


def test_requests_are_spread_over_servers() -> None:
    with serving(OK) as one, serving(OK) as two, serving(OK) as three:
        asking = client([one.url, two.url, three.url], concurrency=3)
        asking.each(lambda r: post(asking), range(30))
        assert all(len(s.asked) >= 5 for s in (one, two, three))
        assert sum(len(s.asked) for s in (one, two, three)) == 30


def test_a_server_that_is_slow_gets_less() -> None:
    enough = threading.Event()

    def slow(_: Asked) -> Say:
        enough.wait(30)
        return OK

    def quick(_: Asked) -> Say:
        if len(two.asked) >= 7:
            enough.set()
        return OK

    with serving(slow) as one, serving(quick) as two:
        asking = client([one.url, two.url], concurrency=2)
        asking.each(lambda r: post(asking), range(8))
        assert (len(one.asked), len(two.asked)) == (1, 7)


def test_slow_answers_are_given_up() -> None:
    late = threading.Event()

    def answer(_: Asked) -> Say:
        late.wait(30)
        return OK

    try:
        with serving(answer) as server, serving(Say(body={"x": "y" * 500}, slow_s=0.1)) as dripping:
            # nothing comes; or something comes all the time, but not the end
            for url in (server.url, dripping.url):
                with pytest.raises(EngineDown, match=r"after 2 tries; .*ReadTimeout"):
                    post(client(url, timeout_s=0.2, tries=2))
    finally:
        late.set()


def test_huge_answers_are_not_read_to_their_end() -> None:
    huge = Say(body=b"x" * 5_000_000)
    with serving(in_turn(huge, Say(400, b"y" * 5_000_000), OK)) as server:
        asking = client(server.url)
        big = post(asking)
        assert isinstance(big, Failure) and big.reason == "oversized_answer"
        refused = post(asking)
        assert isinstance(refused, Reply) and len(refused.body) < 1_000_000
        assert isinstance(post(asking), Reply)


def test_answers_are_not_unpacked() -> None:
    """A small compressed answer can be a huge one."""
    with serving(OK) as server:
        post(client(server.url))
        assert server.asked[0].headers["accept-encoding"] == "identity"
    import gzip

    packed = gzip.compress(b'{"a": "' + b"x" * 10_000_000 + b'"}')
    with serving(Say(body=packed, headers={"Content-Encoding": "gzip"})) as server:
        reply = post(client(server.url, max_bytes=100_000))
        assert isinstance(reply, Reply) and reply.body == packed
        with pytest.raises(ValueError):
            reply.json()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"nul", b"\xff", b'{"a":' * 90_000])
def test_what_is_no_json_object_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        Reply(200, body).json()


def test_the_key_is_sent_and_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    echo = f"Incorrect API key provided: {KEY}. Your header was Bearer {KEY}"
    told = []
    with serving(OK) as server:
        asking = client(server.url, api_key_env="MY_KEY")
        post(asking)
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
        server.answer = in_turn(Say(400, {"error": {"message": "x" * 260 + f"You sent {KEY}"}}))
        refused = post(asking)
        assert isinstance(refused, Reply)
        told += [repr(refused.failure()), refused.message]
        server.answer = in_turn(Say(401, echo.encode()))
        with pytest.raises(UserError) as e:
            post(asking)
        told.append(f"{e.value!r} {e.value.__cause__!r}")
        server.answer = in_turn(Say(500, echo.encode()))
        told.append(repr(post(asking)))
        told += [repr(asking), str(asking.__dict__.get("_http"))]
    with pytest.raises(EngineDown) as down:
        post(client(dead_url(), api_key_env="MY_KEY", tries=1))
    told += [str(down.value), caplog.text, *capfd.readouterr()]
    assert not any(KEY in t or KEY[:8] in t for t in told)
    with serving(OK) as server:
        post(client(server.url))
        assert "authorization" not in server.asked[0].headers


def test_a_key_in_the_wrong_place_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the variable's name, in the variable with a line end in it, as an unknown setting, in a URL."""
    monkeypatch.setenv("ODD", "sk-ab\ncd")
    cls = registry.engine_class("llm", "openai")
    good = {"base_urls": ["http://h/v1"], "model": "m", "tokenizer": "t", "descriptor": "qwen3"}
    tries = [
        lambda: client("http://h/v1", api_key_env=KEY),
        lambda: client("http://h/v1", api_key_env="hf_Very_Secret"),
        lambda: client("http://h/v1", api_key_env="ODD"),
        lambda: client(f"http://me:{KEY}@h/v1"),
        lambda: client(f"http://h/v1?key={KEY}"),
        lambda: cls.requirements(good | {"api_key": KEY}),
        lambda: cls.requirements(good | {"api_key_env": KEY}),
    ]
    for attempt in tries:
        with pytest.raises(UserError, match="engine") as e:
            attempt()
        assert not any(part in str(e.value) for part in (KEY, "Very", "sk-", "\n"))
    with pytest.raises(UserError, match="did you mean 'api_key_env'"):
        cls.requirements(good | {"api_key": KEY})


def test_identities_hold_neither_key_nor_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same answers come from wherever the model is served: nothing is asked again after a move."""
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("IEAT_MODELS", str(tmp_path / "cache"))
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text("{}", encoding="utf-8")
    roles: dict[str, dict[str, Any]] = {
        "llm": {"model": "served-name", "tokenizer": str(tokenizer), "descriptor": "qwen3"},
        "asr": {"model": "served-name"},
        "tts": {"model": "served-name"},
    }
    here = {"base_urls": ["http://one:8000/v1"], "api_key_env": "MY_KEY", "concurrency": 2}
    there = {"base_urls": ["https://two/v1", "https://three/v1"], "timeout_s": 9, "connect_timeout_s": 1, "tries": 2}
    assert {*here, *there, "backoff_s"} == NEUTRAL_SETTINGS

    def identity(role: str, settings: dict[str, Any]) -> dict[str, Any]:
        engines = {role: EngineConfig(engine="openai", settings=settings)}
        return registry.identity(role, Profile(name="p", engines=engines))

    for role, own in roles.items():
        one, two = identity(role, own | here), identity(role, own | there)
        assert one == two
        said = json.dumps(one)
        assert "served-name" in said
        assert not any(hidden in said for hidden in (KEY, "MY_KEY", "http", str(tmp_path)))
        assert one != identity(role, own | here | {"model": "other"})
    before = identity("llm", roles["llm"] | here)
    tokenizer.write_text('{"other": 1}', encoding="utf-8")
    assert before != identity("llm", roles["llm"] | here)


def own_certificate(pem: Path) -> Path:
    """A key and a certificate of 127.0.0.1, signed by itself."""
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-days", "2"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes"]
    command = ["openssl", "req", *kind, *name, "-keyout", str(pem), "-out", f"{pem}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    pem.write_text(pem.read_text() + Path(f"{pem}.crt").read_text())
    return pem


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = own_certificate(tmp_path / "server.pem")
    with serving(OK, certificate=pem) as server:
        with pytest.raises(UserError, match=r"(?i)certificate"):
            post(client(server.url))
        assert server.asked == []
        # a certificate that the user trusts is taken, so it was not for want of a server
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert isinstance(post(client(server.url)), Reply)


def test_loopback_is_asked_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, dead_url())
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(OK) as server:
        assert isinstance(post(client(server.url, tries=1)), Reply)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_urls": []}, "names no server"),
        ({"base_urls": "localhost:8000"}, "must be URLs"),
        ({"base_urls": "http://h:port/v1"}, "must be URLs"),
        ({"base_urls": "http://[::1/v1"}, "must be URLs"),
        ({"base_urls": "file:///etc/passwd"}, "must be URLs"),
        ({"base_urls": [None]}, "must be URLs"),
        ({"concurrency": 0}, "`concurrency` must be"),
        ({"tries": -1}, "`tries` must be"),
        ({"timeout_s": float("nan")}, "`timeout_s` must be"),
        ({"connect_timeout_s": "1"}, "`connect_timeout_s` must be"),
        ({"api_key_env": "NOT_SET_ANYWHERE"}, "is not set"),
    ],
)
def test_wrong_settings_are_one_clear_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as e:
        client(settings.pop("base_urls", "http://h/v1"), **settings)
    assert "\n" not in str(e.value)


def test_the_path_is_the_users_or_v1() -> None:
    with serving(OK) as server:
        for url in (server.root, f"{server.root}/", server.url, f"{server.root}/openai/v1/"):
            post(client(url))
        assert [a.path for a in server.asked] == ["/v1/completions"] * 3 + ["/openai/v1/completions"]


@pytest.mark.parametrize("role", ["llm", "asr", "tts"])
def test_settings_are_checked_before_anything_is_asked(role: str) -> None:
    cls = registry.engine_class(role, "openai")
    with pytest.raises(UserError, match="needs the settings `base_urls`, `model`"):
        cls.requirements({"model": "m"})
    with pytest.raises(UserError, match=r"has no setting `concurency` \(did you mean 'concurrency'"):
        cls.requirements({"concurency": 3})


PAGE = Say(200, b"<html><title>503 maintenance</title></html>", headers={"Content-Type": "text/html"})
PASSING = [
    Say(200, {"error": {"message": "Provider returned error", "code": 502}}),
    PAGE,
    Say(200, b""),
    Say(400, {"message": "Background loop has errored already."}),
    *(Say(status, b"soon") for status in (408, 409, 424, 425, 499, 529)),
]


@pytest.mark.parametrize("bad", PASSING, ids=lambda say: f"{say.status} {say.data[:20]!r}")
def test_an_outage_that_looks_like_an_answer_is_waited_out(bad: Say) -> None:
    with serving(in_turn(bad, bad, OK)) as server:
        reply = post(client(server.url))
        assert isinstance(reply, Reply) and reply.ok and reply.json() == {"ok": 1}


@pytest.mark.parametrize(
    "say",
    [
        Say(402, {"error": {"message": "Insufficient Balance"}}),
        Say(403, {"error": {"message": "The free tier of the model has been exhausted."}}),
        Say(200, {"error": {"message": "Insufficient credits", "code": 402}}),
        Say(
            429, {"error": {"message": "You exceeded your current quota, please check your plan and billing details."}}
        ),
    ],
    ids=lambda say: str(say.status),
)
def test_without_money_everything_stops_at_once_and_answers_are_kept(say: Say) -> None:
    with serving(in_turn(OK, OK, say)) as server:
        asking = client(server.url, concurrency=1)
        got = asking.each(lambda r: post(asking), range(10))
        assert [isinstance(g, Reply) for g in got[:2]] == [True, True]
        assert isinstance(got[2], UserError) and "\n" not in str(got[2])
        assert len(server.asked) == 3


def test_a_request_with_500_for_ever_is_given_up_soon_while_others_are_answered() -> None:
    def answer(asked: Asked) -> Say:
        return Say(500, b"boom") if asked.json["r"] == 3 else OK

    with serving(answer) as server:
        asking = client(server.url, concurrency=4, tries=8)
        got = asking.each(lambda r: post(asking, {"r": r}), range(8))
        bad = [g for g in got if not isinstance(g, Reply)]
        assert bad == [Failure("server_error", f"{server.root}: 500 boom")]
        assert len(server.asked) == 7 + 3


def test_a_limit_of_the_rate_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten requests in a third of a second, 429 for more, and no word of how long to wait."""
    monkeypatch.setattr("ieat_data.engines.http._LONGEST_BACKOFF_S", 0.2)
    window, lock = [time.monotonic(), 0.0], threading.Lock()

    def answer(_: Asked) -> Say:
        with lock:
            if time.monotonic() - window[0] > 0.33:
                window[:] = [time.monotonic(), 0]
            window[1] += 1
            return OK if window[1] <= 10 else Say(429, b"Rate limit exceeded")

    with serving(answer) as server:
        asking = client(server.url, concurrency=32, tries=3, backoff_s=0.01)
        got = asking.each(lambda r: post(asking), range(40))
        assert all(isinstance(g, Reply) and g.ok for g in got)
        assert len(server.asked) < 40 * 3, "it does not hammer"


def test_one_of_two_servers_that_fails_fast_draws_few_requests() -> None:
    def good(_: Asked) -> Say:
        time.sleep(0.01)
        return OK

    with serving(Say(500)) as bad, serving(good) as well:
        asking = client([bad.url, well.url], concurrency=4, backoff_s=0.02, tries=8)
        got = asking.each(lambda r: post(asking), range(120))
        assert all(isinstance(g, Reply) for g in got)
        assert len(bad.asked) < 30


def test_a_server_that_is_down_is_not_asked_by_everyone() -> None:
    with serving(Say(503)) as server:
        asking = client(server.url, concurrency=16, tries=6, backoff_s=0.001)
        got = asking.each(lambda r: post(asking), range(64))
        assert all(isinstance(g, EngineDown) for g in got)
        assert len(server.asked) < 64
