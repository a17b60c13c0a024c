"""Which sentinel's noise stands under which runs, and in which words, on made-up frames: no MLflow, no models."""

import pandas as pd
import pytest

from bench.analysis import comparison, noise, scaling
from bench.render import comparison as render_comparison
from bench.render import scaling as render_scaling
from bench.store import mlflow_read
from paper import results
from paper.tables import scaling as tables_scaling

BASE = {
    "pair": "pocket", "dtype": "float32", "platform": "cpu", "device": "a CPU", "outcome": "ok", "verdict": "unknown",
    "message": "", "prompt_hash": "h", "gen_length": 64, "batch_size": 1, "block_length": 32, "prompts": 2,
}  # fmt: skip
AA = {"eager": 1.5, "captured": 1.25}  # of the sentinel on each engine


@pytest.fixture
def rounds(monkeypatch) -> dict[str, list[float]]:
    """Latencies by run; whatever they are asked for, runs answer with these."""
    known: dict[str, list[float]] = {}
    monkeypatch.setattr(mlflow_read, "history", lambda run_id, name: dict(enumerate(known[run_id], 1)))
    return known


def twins(rounds, engine: str, a: list[float] | None = None, b: list[float] | None = None, **more) -> list[dict]:
    """A sentinel's two runs with these latencies; its A/A is `AA` unless they are given."""
    b = b or [100.0, 100.0]
    found = []
    for twin, values in (("a", a or [AA[engine] * value for value in b]), ("b", b)):
        row = BASE | {"kind": "sentinel", "model": "llada", "twin": twin, "watches": "w", "engine": engine} | more
        row["run_id"] = f"twin {row}"
        rounds[row["run_id"]] = values
        found.append(row)
    return found


def runs(rounds, kind: str, engine: str, **more) -> list[dict]:
    """A run of each model in two places, LLaDA's twice as long."""
    found = []
    for place in (1, 8):
        for model, latency in (("llama", 50.0), ("llada", 100.0)):
            row = BASE | {"kind": kind, "model": model, "engine": engine, "batch_size": place} | more
            row |= {"steps": 16} if model == "llada" else {}
            row |= {"latency/latency_ms": latency, "throughput/tokens_per_s": 64 * place / latency}
            row["run_id"] = f"run {row}"
            rounds[row["run_id"]] = [latency, latency]
            found.append(row)
    return found


def said(rows: list[dict], kind: str) -> str:
    [found] = [group for group in scaling.scalings(pd.DataFrame(rows)) if group.kind == kind]
    return "".join(line for line in render_scaling.sentences(found) if line.startswith("Noise"))


def test_runs_are_shown_the_noise_of_their_own_engine(rounds):
    rows = [*runs(rounds, "batch", "captured"), *runs(rounds, "prompt", "eager")]
    rows += [*twins(rounds, "eager"), *twins(rounds, "captured")]
    assert said(rows, "batch").startswith(
        "Noise: the same captured cell twice in a round differs by a factor of 1.25 ["
    )
    assert said(rows, "prompt").startswith("Noise: the same eager cell twice in a round differs by a factor of 1.50 [")


def test_runs_of_both_engines_are_shown_the_eager_one(rounds):
    rows = [*runs(rounds, "engines", "eager"), *runs(rounds, "engines", "captured")]
    rows += [*twins(rounds, "captured"), *twins(rounds, "eager")]
    assert said(rows, "engines").startswith("Noise: the same eager cell twice in a round differs by a factor of 1.50 [")


def test_where_no_sentinel_ran_captured_the_eager_one_is_shown_and_said_to_be_that(rounds):
    rows = [*runs(rounds, "batch", "captured"), *twins(rounds, "eager")]
    assert said(rows, "batch").startswith(
        "Noise: no sentinel ran captured; the same eager cell twice in a round differs"
    )
    [found] = scaling.scalings(pd.DataFrame(rows))
    assert results.noise_numbers(found.noise, "").keys() == {"eager.aa_ratio", "eager.drift"}


def test_a_captured_sentinel_says_nothing_of_eager_runs(rounds):
    rows = [*runs(rounds, "baseline", "eager", batch_size=1)[:1], *runs(rounds, "sweep", "eager")[1:2]]
    found = comparison.comparisons(pd.DataFrame([*rows, *twins(rounds, "captured")]))
    assert [one.noise for one in found] == [None]
    assert render_comparison.verdict(found[0], {})[-1] == "Noise: no sentinel of this engine ran."
    assert said([*runs(rounds, "batch", "eager"), *twins(rounds, "captured")], "batch") == ""


def test_a_drift_is_that_of_an_engine(rounds):
    rows = [*runs(rounds, "batch", "captured"), *runs(rounds, "prompt", "eager")]
    rows += [*twins(rounds, "eager", b=[100.0, 120.0]), *twins(rounds, "captured", b=[100.0, 101.0])]
    assert said(rows, "batch").endswith("from round to round it moved by 1.0%.")
    assert said(rows, "prompt").endswith("it moved by 20.0% (MORE THAN 3%: EAGER RUNS DRIFTED).")
    rows = [row for row in rows if row["engine"] == "captured"]
    assert "DRIFTED" not in said(rows, "batch")
    rows = [*runs(rounds, "batch", "captured"), *twins(rounds, "captured", b=[100.0, 120.0])]
    assert said(rows, "batch").endswith("(MORE THAN 3%: CAPTURED RUNS DRIFTED).")


def test_a_captured_sentinel_that_failed_is_said_not_replaced(rounds):
    rows = [*runs(rounds, "batch", "captured"), *twins(rounds, "eager")]
    rows += twins(rounds, "captured", outcome="error", message="gone")
    assert said(rows, "batch") == "Noise: not measured. A sentinel is left out: error: gone."


def test_other_prompts_beside_the_same_cells_are_another_sentinel(rounds):
    rows = [*runs(rounds, "batch", "eager"), *twins(rounds, "eager")]
    rows += twins(rounds, "eager", a=[300.0, 300.0], b=[200.0, 200.0], prompt_hash="other")
    [found] = scaling.scalings(pd.DataFrame(rows))
    assert (found.noise.ratio.value, found.noise.drift) == (pytest.approx(1.5), 0)
    assert len(found.noise.runs) == 4


def test_runs_from_before_engines_were_told_count_as_eager(rounds):
    rows = [{**row, "engine": None} for row in [*runs(rounds, "batch", "eager"), *twins(rounds, "eager")]]
    assert said(rows, "batch").startswith("Noise: the same eager cell")


def test_the_report_tells_each_engines_noise_once(rounds):
    rows = [*runs(rounds, "batch", "captured"), *runs(rounds, "length", "captured", block_length=16)]
    rows += [*runs(rounds, "attention", "eager"), *twins(rounds, "eager"), *twins(rounds, "captured")]
    found = tables_scaling.largest(scaling.scalings(pd.DataFrame(rows)))
    captured, eager = [line for line in tables_scaling.sentences(found) if line.startswith("Noise")]
    assert captured.startswith("Noise: the same captured cell")
    assert eager.startswith("Noise: the same eager cell")


def test_places_have_noises_of_their_own(rounds):
    frame = pd.DataFrame([*twins(rounds, "eager"), *twins(rounds, "eager", device="another")])
    _, noises = comparison.judged(frame)
    assert set(noises) == {("cpu a CPU", "eager"), ("cpu another", "eager")}
    elsewhere = pd.DataFrame([BASE | {"engine": "captured", "on": "cuda H100"}])
    assert noise.noise_under(elsewhere, noises) is None
