"""What `make audit` fails on."""

from __future__ import annotations

from scripts.audit import judged, public


def test_what_a_newer_version_mends_fails_what_none_mends_is_told_and_nothing_is_passed_over() -> None:
    report = {
        "dependencies": [
            {"name": "sound", "version": "1", "vulns": []},
            {"name": "old", "version": "1", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}]},
            {"name": "hopeless", "version": "1", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]},
            {"name": "unknown", "skip_reason": "not on PyPI"},
        ]
    }
    mendable, open_, skipped = judged(report)
    assert mendable == ["old 1: PYSEC-1, CVE-1; mended in 2"]
    assert open_ == ["hopeless 1: PYSEC-2; no version mends it"]
    assert skipped == ["unknown: not on PyPI"]


def test_pins_are_asked_for_as_pypi_knows_them() -> None:
    assert public(["torch==2.8.0+cpu  # CPU", "", "# x==1", "-e .", "a==1; python_version < '3'"]) == [
        "torch==2.8.0",
        "a==1",
    ]
