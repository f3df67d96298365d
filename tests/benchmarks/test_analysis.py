import time

import numpy as np
import pytest

from helpers.benchmarks import analysis as analysis_cost
from helpers.benchmarks import record


def test_every_contender_finds_what_we_find():
    """An independent check of five observables on real hot frames, and that the race is fair."""
    frames = analysis_cost.repeated(analysis_cost.hot_frames(3), 1)
    for quantity, calls in analysis_cost.contenders(frames).items():
        found = analysis_cost.race(calls, rounds=1)
        assert len(found) > 1
        for who, one in found.items():
            assert analysis_cost._agrees(found["this book"]["result"], one["result"]), (
                quantity,
                who,
                found["this book"]["result"],
                one["result"],
            )


def test_race_keeps_the_fastest_round_and_spares_the_slow():
    calls = {"this book": iter([0.2, 0.02, 0.01]), "other": iter([0.3, 9, 9])}

    def work(who):
        end = time.process_time() + next(calls[who])
        while time.process_time() < end:
            pass

    found = analysis_cost.race({who: (lambda who=who: work(who)) for who in calls}, 2, most_s=0.25)
    assert found["this book"]["seconds"] == pytest.approx(0.01, abs=0.009)
    assert found["other"]["seconds"] == pytest.approx(0.3, abs=0.05)  # was not called again


def test_exponents_of_known_laws():
    rows = [
        {"atoms": n, "frames": f, "seconds": 1e-4 * n * f**1.5}
        for n, f in [(100, 8), (200, 8), (400, 8), (800, 8), (400, 16), (400, 32), (400, 4)]
    ]
    assert analysis_cost.exponents(rows)["frames"] == pytest.approx(1.5)
    linear = [
        {"atoms": n, "frames": f, "seconds": 1e-4 * n * f}
        for n, f in [(100, 8), (200, 8), (200, 16), (400, 8)]
    ]
    assert analysis_cost.exponents(linear)["atoms"] == pytest.approx(1)


def test_full_analysis_counts_every_frame():
    frames = analysis_cost.repeated(analysis_cost.hot_frames(2), 1)
    found = analysis_cost.full_analysis(frames, 5, np.array(frames[0].get_chemical_symbols()))
    assert found["frames"] == 5 and found["atoms"] == len(frames[0]) and found["seconds"] > 0


def test_the_fastest_other_code_is_one_that_finds_the_same():
    rows = [
        {"atoms": 7344, "quantity": "g(r)", "who": who, "seconds": s, "agrees": agrees}
        for who, s, agrees in (("this book", 0.1, True), ("wrong", 0.2, False),
                               ("slow", 9.0, True), ("next", 0.6, True))
    ]  # fmt: skip
    rows += [rows[0] | {"atoms": 272}, rows[0] | {"quantity": "alone"}]
    table = record.fastest_others({"rows": rows}, 7344)
    assert table["quantity"].tolist() == ["g(r)"]
    assert table["fastest other code"][0] == "next"
    assert table["factor"][0] == pytest.approx(6)
