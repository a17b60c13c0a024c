"""Made-up runs that differ in how answers end, at batch 1 and 8: no MLflow, no models."""

from bench.analysis.ends import Ends, ends_of
from bench.analysis.noise import judge
from tests.support.made_up_scaling import run, study_of

GEN = 256
LENGTHS = "20 61 148 256 40 80 61 61"  # of the references, in order: a batch of eight has a row of 256
KEPT = sum(map(int, LENGTHS.split()))
TOKEN_MS = 6.0  # of LLaMA
CANVAS_MS = 10.0  # of a step of LLaDA, for each row of its batch


def runs() -> list[dict]:
    """LLaMA takes 6 ms a token of its longest row, LLaDA 32 steps of 10 ms a row whatever it keeps."""
    rows = []
    for batch in (1, 8):
        for stop in ("length", "references"):
            kept = GEN * 8 if stop == "length" else KEPT
            paid = GEN * 8 / batch if stop == "length" else KEPT if batch == 1 else GEN  # tokens, of all calls
            lengths = {"answer_lengths": LENGTHS} if stop == "references" else {}
            rows.append(made("llama", batch, stop, paid * TOKEN_MS, kept, nfe=paid * batch / 8, **lengths))
            canvases_ms = 8 * 32 * CANVAS_MS
            rows.append(made("llada", batch, stop, canvases_ms, kept, nfe=32, steps=32, head="lean", **lengths))
    return rows


def made(model: str, batch: int, stop: str, all_calls_ms: float, kept: int, nfe: float, **changes) -> dict:
    """A run of eight prompts. all_calls_ms, kept: of all its calls together."""
    latency_ms = all_calls_ms * batch / 8
    row = run("ends", model, latency_ms, batch_size=batch, gen_length=GEN, stop=stop, prompts=8, **changes)
    if row["outcome"] != "ok":
        return row
    return row | {
        "compute/nfe": nfe,
        "throughput/tokens_per_s": 1e3 * kept / all_calls_ms,
        "throughput/canvas_tokens_per_s": 1e3 * 8 * GEN / all_calls_ms,
    }


def ends(rows: list[dict]) -> Ends:
    """What some runs say."""
    return ends_of(judge(study_of(rows)))
