"""The report of `bench.edge`: ratios are taken within rounds, goals are told as met or not."""

from dataclasses import replace

import pytest

from bench.edge.report import (
    GOALS,
    LOADS,
    Found,
    Load,
    Sample,
    Samples,
    ratio,
    told,
)

SAMPLE = Sample(rate=1000, p50_ms=1, p99_ms=2, cpu_us=100, errors=0, generator=0.5, foreign=0.01)
NAMES = {"ours": "ours", "bare": "bare", "nginx": "nginx", "rival": "rival"}


def found(ours: Sample, memory: float = 20) -> Found:
    others = {"bare": [SAMPLE], "nginx": [SAMPLE], "rival": [SAMPLE]}
    samples: Samples = {load: {"ours": [ours], **others} for load in LOADS}
    return Found("today", NAMES, samples, dict.fromkeys(NAMES, memory), "All hits were kept.")


def test_a_ratio_compares_within_each_round_since_the_machine_drifts_between_them() -> None:
    load = Load("one", 64)
    drifting = (1000, 500, 250)
    samples: Samples = {
        load: {
            "ours": [replace(SAMPLE, rate=2 * rate) for rate in drifting],
            "bare": [replace(SAMPLE, rate=rate) for rate in drifting],
        }
    }
    assert ratio(samples, load, "rate", "ours", "bare") == 2


@pytest.mark.parametrize(
    ("ours", "memory", "missed"),
    [
        (replace(SAMPLE, rate=10_000), 30.0, 0),
        (replace(SAMPLE, rate=9_999), 30.0, 2),  # ten times pytracking2, under two loads
        (replace(SAMPLE, rate=10_000, p99_ms=3), 30.0, 0),
        (replace(SAMPLE, rate=10_000, p99_ms=3.1), 30.0, 2),
        (replace(SAMPLE, rate=10_000, p99_ms=4.1), 30.0, 3),
        (replace(SAMPLE, rate=10_000), 30.1, 1),
    ],
)
def test_a_goal_that_is_missed_is_told(ours: Sample, memory: float, missed: int) -> None:
    report = told(found(ours, memory))
    assert report.count("**not met**") == missed
    assert report.count("| met |") == len(GOALS) + 1 - missed


@pytest.mark.parametrize(("foreign", "warned"), [(0.05, False), (0.2, True)])
def test_a_busy_machine_is_told(foreign: float, warned: bool) -> None:
    busy = {key: [replace(SAMPLE, foreign=foreign)] for key in NAMES}
    report = told(replace(found(SAMPLE), samples=dict.fromkeys(LOADS, busy)))
    assert ("Something else took 20% of a core" in report) is warned
