"""A model behind an address beside ours: what is compared with what, and what must be said of its times."""

import pandas as pd

from bench.analysis import scaling
from bench.analysis.comparison import on_other_engines
from bench.analysis.noise import judge
from bench.analysis.runs import beside, lead
from bench.analysis.study import Histories, Study
from bench.render import comparison as render
from bench.render import wording
from tests.support.made_up_comparison import MadeUp

SERVER = {"platform": "server", "device": "m at http://127.0.0.1:8000/v1", "engine": "server", "dtype": "unstated"}
OURS = {"platform": "cpu", "device": "a CPU", "engine": "eager", "dtype": "float32"}


def rows_of(made_up: MadeUp, **of_server: object) -> pd.DataFrame:
    """A run of LLaMA from a server and two of LLaDA of ours."""
    ours = [made_up.row(steps, *values) | OURS for steps, values in {4: (80, 0.2), 8: (160, 0.3)}.items()]
    return pd.DataFrame([made_up.row(None, 120, 0.4) | SERVER | of_server, *ours])


def test_a_server_is_compared_whatever_it_runs_on():
    made_up = MadeUp()
    [compared] = made_up.comparisons(rows_of(made_up))
    assert compared.has_both
    assert compared.dtype == "float32"
    assert lead(compared.every)["device"] == "a CPU"


def test_what_a_server_shares_must_still_be_equal():
    made_up = MadeUp()
    every = made_up.comparisons(rows_of(made_up, batch_size=8))
    assert [compared.has_both for compared in every] == [False, False]
    assert not beside(rows_of(made_up), pd.Series(OURS | {"batch_size": 1}), ["batch_size", "dtype"]).empty


def test_it_stands_beside_each_engine_of_ours():
    made_up = MadeUp()
    rows = rows_of(made_up)
    captured = rows[1:].assign(engine="captured", run_id=["a", "b"])
    for (run_id, name), values in list(made_up.histories.items()):
        made_up.histories[{"run-4": "a", "run-8": "b"}.get(run_id, run_id), name] = values
    every = made_up.comparisons(pd.concat([rows, captured], ignore_index=True))
    assert [compared.has_both for compared in every] == [True, True]
    assert [lead(compared.every)["engine"] for compared in every] == ["captured", "eager"]
    assert on_other_engines(every[0], every) == [every[1]]


def test_the_verdict_and_the_title_say_whose_time_it_is():
    made_up = MadeUp()
    [compared] = made_up.comparisons(rows_of(made_up))
    verdict = render.time_verdict(compared)
    assert verdict.startswith(
        "Time: LLaMA answers in 120 ms from its server, whose queue and the way there are part of"
    )
    title = f"{wording.comparison_title(compared)}, on {wording.machine_of(compared.every)}"
    assert "float32, greedy, eager engine, official head, LLaMA by a server, on a CPU (a CPU: nothing vouches" in title
    assert title.endswith(
        "LLaMA by the server of m at http://127.0.0.1:8000/v1 (nothing vouches that it was ours alone)"
    )


def test_nothing_is_said_of_a_server_where_there_is_none():
    made_up = MadeUp()
    ours = made_up.comparison((120, 0.4), {4: (80, 0.2), 8: (160, 0.3)}, **OURS)
    assert "server" not in render.time_verdict(ours) + wording.machine_of(ours.every)


def test_a_table_has_a_dash_for_what_is_not_known():
    made_up = MadeUp()
    rows = rows_of(made_up).assign(**{"memory/resident_gib": [None, 0.5, 0.6], "latency/step_ms": [None, 20.0, 20.0]})
    [compared] = made_up.comparisons(rows)
    table = render.table(compared.rows, render.COLUMNS)
    assert table.loc[0, ["RSS GiB", "step ms"]].tolist() == ["-", "-"]
    assert render.verdict(compared)


def test_a_scaling_group_has_the_server_beside_ours():
    rates = {"latency/latency_ms": 100.0, "throughput/tokens_per_s": 640.0}
    common = {
        "outcome": "ok", "verdict": "unknown", "weights": "trained", "kind": "batch", "pair": "p", "gen_length": 64,
        "prompt_tokens": 32, "temperature": 0.0, "stop": "length", "prompt_hash": "h",
    }  # fmt: skip
    runs, values = [], {}
    for batch in (1, 8):
        for name, place in (("llama", SERVER), ("llada", OURS)):
            run_id = f"{name}-{batch}"
            more = {"steps": 16, "block_length": 16, "head": "lean"} if name == "llada" else {}
            runs.append(common | rates | place | more | {"run_id": run_id, "model": name, "batch_size": batch})
            values |= {(run_id, f"rounds/{metric}"): {1: value, 2: value} for metric, value in rates.items()}
    [group] = scaling.scalings(judge(Study("s", pd.DataFrame(runs), Histories(values))))
    assert len(group.rows) == 4
    assert {run_id: round(ratio.value, 3) for run_id, ratio in group.ratios.items()} == {"llada-1": 1.0, "llada-8": 1.0}
    assert [round(steps.value) for _, steps in group.break_evens] == [16, 16]
    assert wording.scaling_title(group).endswith("float32, eager engine, lean head, LLaMA by a server")
