"""Names in the parameters of a chapter are looked at before it runs, not after its training."""

import pytest

from helpers import cli
from helpers.book import names
from helpers.errors import UserError


@pytest.mark.parametrize("values, said", [
    ({"live_sets": ["abw", "abv"]}, "no set of frames 'abv'"),
    ({"potential": "atpp"}, "no potential 'atpp'; did you mean 'atp'"),
    ({"ensemble": ["split-block", "ensemble-9"]}, "no potential 'ensemble-9'"),
    ({"named_runs": ["atp-3Kps"]}, "no run 'atp-3Kps'"),
    ({"volume_runs": ["volumes", "volume"]}, "no run 'volume'"),
    ({"structure": "zif-4"}, "no structure 'zif-4' .*did you mean 'ZIF-4'"),
    ({"own_file": "nowhere/OUTCAR"}, "own_file: there is no file 'nowhere/OUTCAR'"),
])  # fmt: skip
def test_what_is_not_there_is_refused(values, said):
    with pytest.raises(UserError, match=said):
        names.refuse_unknown(values)


def test_what_is_there_or_will_be_is_not():
    names.refuse_unknown({
        "sets": ["abw"], "potential": "mine", "live_name": "mine", "live_start": "atp",
        "test_potential": "", "named_runs": ["atp-100Kps"], "own_file": "", "seed": 3,
        "structure": "Znim2-ABW",
        "volume_runs": ["volumes"],
    })  # fmt: skip


def test_a_command_says_so_at_once(capsys):
    assert cli.main(["chapter", "02_training", "-p", "potential", "atpp"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
