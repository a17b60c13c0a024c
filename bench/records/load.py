"""What a server did under load, as a load generator reports it: a record of one number of requests at once.

The generator has made statistics of its requests already, so that a record holds these and no calls. Imports no torch.
"""

from dataclasses import dataclass

from bench.records.metric import Metric
from bench.records.settings import Load, settings_of

NAMESPACE = "load/"  # before a value's name, in MLflow
TIMES = {
    "ttft": ("TTFT", "time from sending a request to its first token"),
    "gap": ("gap", "time between two tokens of an answer, its mean: a chunk of a stream may hold several tokens"),
    "latency": ("latency", "time from sending a request to the end of its answer"),
}
METRICS = (
    Metric("load/requests_per_s", "1/s", "requests/s", 2,
           "requests that a server answered a second, with so many under way at once (`make load`)",
           "answered requests / seconds from the first sent to the last answered"),
    Metric("load/tokens_per_s", "tokens/s", "tokens/s", 1,
           "tokens of its answers a second, counted with the pair's tokenizer", "sum of tokens / the same seconds"),
    Metric("load/answer_tokens", "tokens", "tokens", 0, "tokens of an answer", "mean over answers"),
    *(Metric(f"load/{name}_{part}_ms", "ms", f"{heading} {part} ms", 1, f"{meaning}; at the client, under load",
             {"p50": "median over answers", "p95": "95th percentile over answers",
              "p99": "99th percentile over answers"}[part])
      for name, (heading, meaning) in TIMES.items() for part in ("p50", "p95", "p99")),
    Metric("load/good_per_s", "1/s", "good/s", 2,
           "goodput: requests a second whose first token came within `ttft_limit_s` and whose further tokens took no"
           " longer than `gap_limit_ms` on average", "good requests / the same seconds"),
    Metric("load/good_share", "1", "good", 2, "share of all requests that were good", "good requests / requests"),
    Metric("load/failed_requests", "1", "failed", 0, "requests that were not answered", "requests - answered requests"),
)  # fmt: skip


@dataclass(frozen=True)
class LoadRun:
    """One load in one round. values: by name in the catalogue without its namespace; what the generator does not say
    is absent."""

    study: str
    cell_id: str
    cell: Load
    values: dict[str, float]
    started_s: float
    ended_s: float
    generator: str  # its name and version
    git: str = ""
    number: int = 1  # of the round

    @classmethod
    def from_json(cls, raw: dict) -> "LoadRun":
        return cls(
            raw["study"], raw["cell_id"], settings_of(raw["cell"]), dict(raw["values"]), raw.get("started", 0.0),
            raw.get("ended", 0.0), raw.get("generator", ""), raw.get("git", ""), raw.get("round", 1),
        )  # fmt: skip

    def to_json(self) -> dict:
        return {
            "record": "load", "study": self.study, "cell_id": self.cell_id, "round": self.number,
            "cell": self.cell.settings(),
            "started": self.started_s, "ended": self.ended_s, "generator": self.generator, "git": self.git,
            "values": self.values,
        }  # fmt: skip

    def metrics(self) -> dict[str, float]:
        """The values as MLflow has them."""
        return {f"{NAMESPACE}{name}": value for name, value in self.values.items()}
