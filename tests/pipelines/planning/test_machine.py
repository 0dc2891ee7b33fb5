"""The measured speed of the machine, which is kept."""

from pathlib import Path

import pytest

from pipelines.planning.machine import RATES, machine_rates


def test_a_machine_is_measured_once_and_again_if_what_is_kept_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rates = machine_rates()
    assert capsys.readouterr().out.startswith("Measuring how fast this machine is")
    assert rates.flops > 1e8
    assert 1e-12 < rates.update < 1e-6
    assert 0.01 < rates.pace < 100
    assert rates.cores >= 1
    assert rates.memory > 1e8
    assert machine_rates() == rates
    assert capsys.readouterr().out == ""
    (kept,) = RATES.iterdir()
    for damaged in ('{"flops": 1}', "{"):
        kept.write_text(damaged)
        assert machine_rates().memory == rates.memory
        assert capsys.readouterr().out.startswith("Measuring")
