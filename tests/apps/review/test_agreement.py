"""The rule for conflicts, and the numbers of a review against numbers worked out by hand."""

from __future__ import annotations

import pytest

from ieat_data.apps.review.agreement import by_reason, kappa, progress
from ieat_data.decisions.adjudication import Verdict, disagree, verdict
from ieat_data.decisions.log import Decision
from tests.apps.review.made import decision


def votes(text: str) -> list[Decision]:
    """`a` accepts, `r` rejects, `1` and `2` edit to two texts; in the order of time."""
    made = {"a": ("accept", {}), "r": ("reject", {}), "1": ("edit", {"text": "one?"}), "2": ("edit", {"text": "two?"})}
    return [decision(f"p{i}", made[v][0], i, **made[v][1]) for i, v in enumerate(text)]


@pytest.mark.parametrize(
    ("cast", "any_reject", "majority"),
    [
        ("a", "", ""),
        ("r", None, None),
        ("ar", None, ""),  # a tie does not reject
        ("arr", None, None),
        ("aar", None, ""),
        ("1", "one?", "one?"),
        ("a1", "one?", "one?"),  # in a tie the edit goes before the old text, whenever it was made
        ("1a", "one?", "one?"),
        ("12", "two?", "two?"),  # and the later edit before the earlier
        ("112", "one?", "one?"),
        ("aa1", "", ""),
        ("1r", None, "one?"),
        ("1rr", None, None),
    ],
)
def test_what_holds(cast: str, any_reject: str | None, majority: str | None) -> None:
    for rule, text in (("any_reject", any_reject), ("majority", majority)):
        held = verdict(votes(cast)[::-1], rule)  # type: ignore[arg-type]
        assert (held.rejected, held.text) == (text is None, text or "")


def test_a_rejection_says_who_and_why() -> None:
    held = verdict([decision("anna", "reject", note="twice"), decision("ben", "accept")], "any_reject")
    assert held == Verdict(rejected=True, why=("anna: unclear (twice)",))


def test_disagreement_is_about_what_people_want() -> None:
    assert not disagree(votes("aa"))
    assert not disagree(votes("11"))
    assert disagree(votes("12"))
    assert disagree(votes("ar"))


def test_kappa_by_hand() -> None:
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: observed 0.7, chance 0.5 · 0.6 + 0.5 · 0.4 = 0.5
    pairs = [("accept", "accept")] * 20 + [("accept", "reject")] * 5 + [("reject", "accept")] * 10
    assert kappa([*pairs, *[("reject", "reject")] * 15]) == pytest.approx(0.4)
    # three kinds: observed 4/6; chance (3·2 + 2·2 + 1·2)/36 = 1/3
    three = ["aa", "aa", "ar", "rr", "re", "ee"]
    names = {"a": "accept", "r": "reject", "e": "edit"}
    assert kappa([(names[x[0]], names[x[1]]) for x in three]) == pytest.approx(0.5)
    assert kappa([("accept", "reject"), ("reject", "accept")]) == pytest.approx(-1)
    assert kappa([("accept", "accept")] * 9) is None, "chance alone agrees"
    assert kappa([]) is None


def test_progress_by_hand() -> None:
    def item(**by: str) -> dict[str, Decision]:
        return {r: decision(r, v, text="why so?" if v == "edit" else "") for r, v in by.items()}

    items = [item(a="accept", b="accept"), item(a="reject", b="accept"), item(a="edit"), item(c="reject"), item()]
    made = progress(items, "majority")
    assert (made["items"], made["decided"], made["share"], made["disagreed"]) == (5, 4, 0.8, 1)
    assert made["held"] == {"accepted": 2, "edited": 1, "rejected": 1}
    assert made["reasons"] == {"unclear": 2}
    assert made["reviewers"] == [
        {"name": "a", "decided": 3, "listened": 0, "accept": 1, "reject": 1, "edit": 1},
        {"name": "b", "decided": 2, "listened": 0, "accept": 2},
        {"name": "c", "decided": 1, "listened": 0, "reject": 1},
    ]
    # a and b: 1 of 2; chance 1/2 · 1 + 1/2 · 0 = 1/2, so kappa is 0
    assert made["pairs"] == [{"reviewers": ["a", "b"], "items": 2, "agreed": 0.5, "kappa": 0.0}]
    assert progress([], "any_reject")["share"] == 0.0


def test_agreement_on_each_reason_by_hand() -> None:
    def item(**why: str) -> dict[str, Decision]:
        return {r: decision(r, "reject" if w else "accept", reason=w) for r, w in why.items()}

    items = [item(a="unclear", b="unclear"), item(a="unclear", b=""), item(a="", b=""), item(a="leading", b="unclear")]
    unclear, leading = by_reason([*items, item(a="language"), {}])
    assert unclear == {"reason": "unclear", "pairs": 3, "both": 1, "agreed": 1 / 3, "kappa": 0.0}
    # `leading`: 3 of 4 alike; chance 1/4 · 0 + 3/4 · 1 = 3/4
    assert leading == {"reason": "leading", "pairs": 1, "both": 0, "agreed": 0.0, "kappa": 0.0}
    three = item(a="unclear", b="unclear", c="other")
    assert [(r["reason"], r["pairs"], r["both"]) for r in by_reason([three])] == [("unclear", 3, 1), ("other", 2, 0)]
