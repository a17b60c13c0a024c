"""Made-up studies of one LLaMA run and LLaDA runs at several step counts: no MLflow, no models."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench.analysis.comparison import Comparison, comparisons
from bench.analysis.noise import judge
from bench.analysis.study import Histories, Study

PROMPTS = 32
MARGINS = {"bertscore_f1": 0.02, "accuracy": 0.05}
LatencyAndScore = tuple[float, float]  # milliseconds, BERTScore F1


@dataclass
class MadeUp:
    """Builds comparisons, and remembers the histories of all runs that it made up."""

    histories: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)

    def comparison(
        self,
        llama: LatencyAndScore | None,
        llada: Mapping[int, LatencyAndScore],
        margins: dict[str, float] = MARGINS,
        **changes,
    ) -> Comparison:
        """The comparison of a LLaMA run, if it is given, and of LLaDA runs by steps; changes: of every run."""
        rows = [self.row(None, *llama) | changes] if llama else []
        rows += [self.row(steps, *values) | changes for steps, values in llada.items()]
        [comparison] = self.comparisons(pd.DataFrame(rows), margins)
        return comparison

    def comparisons(self, runs: pd.DataFrame, margins: dict[str, float] = MARGINS) -> list[Comparison]:
        """The comparisons among some runs, with the histories that are known of them."""
        return comparisons(judge(Study("made up", runs, Histories(self.histories))), margins)

    def row(self, steps: int | None, latency_ms: float, score: float) -> dict:
        """A run of LLaDA, or of LLaMA without steps. Its rounds differ by a percent, its prompts' scores by more."""
        run_id = f"run-{steps}"
        noise = np.random.default_rng(steps or 0).normal(0, 0.01, PROMPTS)
        self.histories[run_id, "per_prompt/bertscore_f1"] = dict(enumerate(score + noise - noise.mean()))
        self.histories[run_id, "rounds/latency/latency_ms"] = {
            1: latency_ms,
            2: latency_ms * 1.01,
            3: latency_ms * 0.99,
        }
        self.histories[run_id, "rounds/throughput/tokens_per_s"] = dict.fromkeys((1, 2, 3), 100000.0 / latency_ms)
        row = {
            "run_id": run_id, "outcome": "ok", "verdict": "unknown", "weights": "trained",
            "kind": "sweep" if steps else "baseline", "block_length": 32 if steps else None, "gen_length": 128,
            "prompt_hash": "h", "dtype": "float32", "batch_size": 1, "prompts": PROMPTS, "pair": "pocket",
            "model": "llada" if steps else "llama", "latency/latency_ms": latency_ms, "quality/bertscore_f1": score,
        }  # fmt: skip
        return row | ({"steps": steps} if steps else {})

    def beside_sentinel(self, runs: pd.DataFrame, a: list[float], b: list[float]) -> Comparison:
        """The comparison of some runs beside a sentinel whose twins have these latencies in each round."""
        twins = []
        for twin, latencies in (("a", a), ("b", b)):
            changes = {"run_id": f"twin-{twin}", "kind": "sentinel", "twin": twin, "watches": "w"}
            twins.append(runs.iloc[0].to_dict() | changes)
            self.histories[f"twin-{twin}", "rounds/latency/latency_ms"] = dict(enumerate(latencies, 1))
        return self.comparisons(pd.concat([runs, pd.DataFrame(twins)], ignore_index=True))[0]
