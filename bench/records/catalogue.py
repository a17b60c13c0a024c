"""Every metric that the benchmark tracks, once: its name, unit, headings, digits, meaning and formula.

Tables take their headings from here, `paper/build/results.json` its units, and bench/records/README.md its table. A
metric's value is computed in bench/records/metrics.py, compute.py and utilisation.py; a test holds that whatever they
can log has an entry here. MLflow has three further forms of a name, which `of` understands: `rounds/NAME` (the value of
each round), `NAME_ci_low` and `NAME_ci_high` (the bounds of its 95 % interval).
"""

from collections.abc import Iterable

from bench.data.problems import DEPTHS
from bench.data.tasks import TASKS
from bench.records.agreement import AGES, after
from bench.records.load import METRICS as LOAD
from bench.records.metric import Metric

LATENCY = (
    Metric("latency/ttft_ms", "ms", "TTFT ms", 1,
           "time to first token: start until output position 0 is final; LLaDA's positions become final in any order,"
           " so read it beside `latency/ttfb_ms`; absent for LLaDA with random weights, whose order is an accident",
           "LLaMA: first token mark; LLaDA: mark of the step that committed position 0", paper_heading="TTFT"),
    Metric("latency/ttfb_ms", "ms", "first block ms", 1,
           "time to first block: start until the first block is final, which is when a reader can start (LLaDA only)",
           "first block mark", paper_heading="first block"),
    Metric("latency/itl_p50_ms", "ms", "ITL p50 ms", 2,
           "inter-token latency: median gap between the tokens of an answer, median over answers (LLaMA only)",
           "median of the gaps between token marks", paper_heading="ITL p50"),
    Metric("latency/itl_p95_ms", "ms", "ITL p95 ms", 2,
           "95th percentile of the gaps between the tokens of an answer, median over answers (LLaMA only)",
           "95th percentile of the gaps between token marks", paper_heading="ITL p95"),
    Metric("latency/tpot_ms", "ms", "TPOT ms", 2, "time per output token after the first one",
           "(latency - TTFT) / (kept tokens - 1)", paper_heading="TPOT"),
    Metric("latency/step_ms", "ms", "step ms", 2, "time of one forward, the unit of work that both models share",
           "median of the gaps between step marks (LLaDA) or token marks (LLaMA)", paper_heading="step"),
    Metric("latency/latency_ms", "ms", "latency ms", 1, "start until the last token, median over calls",
           "wall time of a call, the device synchronised at both ends", paper_heading="total"),
    Metric("latency/device_ms", "ms", "device ms", 1,
           "the latency by CUDA events, from the first kernel's turn to the last one's end (GPU only)",
           "time between two CUDA events around the call", paper_heading="device"),
)  # fmt: skip

THROUGHPUT = (
    Metric("throughput/tokens_per_s", "tokens/s", "tokens/s", 1,
           "kept tokens a second; kept are those up to the first end token, that one included, or as many as"
           " the cell states",
           "sum of kept tokens / sum of latencies, over all calls"),
    Metric("throughput/canvas_tokens_per_s", "tokens/s", "canvas tokens/s", 1,
           "the same with the padding behind the end token counted",
           "rows of all calls * gen_length / sum of latencies"),
    Metric("throughput/text_bytes_per_s", "bytes/s", "text bytes/s", 0,
           "UTF-8 bytes of kept text a second, since two tokenizers cut text differently; absent where the record has"
           " no answers (their length was forced) and for random weights",
           "tokens/s * bytes of the decoded answers of round 1 / their kept tokens"),
)  # fmt: skip

COMPUTE = (
    Metric("compute/nfe", "1", "forwards", 1, "number of function evaluations: forwards of a mean call",
           "sum of forwards / calls"),
    Metric("compute/nfe_full", "1", "full forwards", 1,
           "of these the forwards in which every layer got the whole canvas (LLaDA only)",
           "sum of full forwards / calls"),
    Metric("compute/nfe_partial", "1", "partial forwards", 1,
           "of these the forwards that took some keys and values from a cache (LLaDA only)",
           "sum of forwards that are not full / calls"),
    Metric("compute/rows", "1", "rows", 0,
           "rows that a mean call pushes through the model, the mean over layers (LLaDA only)",
           "sum of positions / calls"),
    Metric("compute/tokens_per_forward", "1", "tokens/forward", 2,
           "tokens that each forward commits in one answer; what an early stop fills is not committed, and forwards at"
           " which an answer only waits for others of its batch are not its own",
           "committed tokens of a mean row / own forwards of a mean row"),
    Metric("compute/positions_per_token", "1", "positions/token", 1,
           "rows that are pushed through the model for each committed token",
           "sum of positions / committed tokens, padding of the canvas included"),
    Metric("compute/gflop", "GFLOP", "GFLOP", 1, "floating-point operations of a mean call, by the cost model",
           "mean over calls of the model's FLOPs / 1e9"),
    Metric("compute/gbyte", "GB", "GB", 1, "bytes that a mean call moves, by the cost model",
           "mean over calls of the model's bytes / 1e9"),
    Metric("compute/mfu", "1", "MFU", 3,
           "model FLOPs utilisation: FLOPs a second over what a matrix product reaches on this device"
           " (`make ceilings`); above 1 it is not tracked and the run is flagged `over its ceiling`",
           "sum of the model's FLOPs / sum of latencies / measured FLOP/s"),
    Metric("compute/mbu", "1", "MBU", 3,
           "model bandwidth utilisation: bytes a second over what reading as many bytes as the weights have reaches on"
           " this device; above 1 it is not tracked and the run is flagged `over its ceiling`",
           "sum of the model's bytes / sum of latencies / measured bytes/s"),
    Metric("compute/host_overhead", "1", "host overhead", 2,
           "share of a call in which the GPU ran no kernel; traced in round 1, when all cells of the process have been"
           " timed, of cells whose calls are run whole",
           "1 - milliseconds with a kernel / milliseconds of the same call untraced"),
    Metric("compute/compile_s", "s", "compile s", 1,
           "seconds to compile a step, before the warm-up and in no latency (engines `captured` and"
           " `generate-static`); absent where the cell before it replayed the same step", "wall time of torch.compile"),
    Metric("compute/capture_s", "s", "capture s", 1,
           "seconds to capture a step, before the warm-up and in no latency (engines `captured` and"
           " `generate-static`); absent where the cell before it replayed the same step",
           "wall time of preparing the engine, without compiling"),
    Metric("compute/sm_clock_mhz", "MHz", "clock MHz", 0,
           "mean clock of the multiprocessors over the timed region, five readings a second (GPU only)",
           "mean of NVML's readings"),
)  # fmt: skip

PREDICTED = (
    Metric("predicted/latency_ms", "ms", "predicted", 1,
           "the latency that the cost model gives at the measured ceilings: a floor", "median over calls"),
    Metric("predicted/step_ms", "ms", "predicted", 2,
           "the time of one forward that the cost model gives at the measured ceilings: a floor; absent where partial"
           " forwards differ in size and only their mean was counted", "median over calls of the median over forwards"),
    Metric("predicted/nfe", "1", "forwards planned", 1,
           "forwards that follow from the settings of LLaDA alone; absent where they depend on the text",
           "mean over calls of bench/diffusion/plans.py"),
    Metric("predicted/rows", "1", "rows planned", 0,
           "rows that follow from the settings and the length of the prompts, the mean over layers; absent where"
           " `predicted/nfe` is, and where the captured engine rounds them up (delayed cache)",
           "mean over calls of bench/cost/decoders.py"),
    Metric("predicted/planned_ms", "ms", "planned ms", 1,
           "the latency that the cost model gives to the forwards that follow from the settings alone",
           "median over calls"),
    Metric("predicted/allocated_gib", "GiB", "predicted", 2, "peak memory in closed form (GPU only)",
           "weights + keys and values + activations + logits at the fullest moment of the largest call"),
    Metric("predicted/kv_cache_gib", "GiB", "KV cache GiB", 2, "the part of that peak which keys and values take",
           "closed form, bench/cost/peak_memory.py"),
    Metric("predicted/activations_gib", "GiB", "activations GiB", 2, "the part of that peak which activations take",
           "closed form, bench/cost/peak_memory.py"),
    Metric("predicted/logits_gib", "GiB", "logits GiB", 2, "the part of that peak which the head's logits take",
           "closed form, bench/cost/peak_memory.py"),
)  # fmt: skip

MEMORY = (
    Metric("memory/weights_gib", "GiB", "weights GiB", 4, "the model's weights", "sum of the tensors' bytes",
           paper_heading="weights"),
    Metric("memory/allocated_gib", "GiB", "alloc GiB", 2, "peak of the tensors that torch has allocated (GPU only)",
           "torch.cuda.max_memory_allocated over the timed calls", paper_heading="allocated", paper_digits=3,
           paper_heading_with_unit="allocated GiB"),
    Metric("memory/reserved_gib", "GiB", "reserved GiB", 2,
           "peak of torch's pool, which can hold memory that an earlier cell left (GPU only)",
           "torch.cuda.max_memory_reserved over the timed calls", paper_heading="reserved", paper_digits=3),
    Metric("memory/resident_gib", "GiB", "RSS GiB", 2,
           "peak resident set of the process, libraries included (CPU only)", "VmHWM, reset before the timed calls",
           paper_heading="resident", paper_digits=3, paper_heading_with_unit="resident GiB"),
    Metric("memory/device_gib", "GiB", "device GiB", 2, "peak in use as NVML counts it (GPU only)",
           "largest reading of the card's used memory", paper_heading="device", paper_digits=3),
    Metric("memory/residual_gib", "GiB", "residual GiB", 2,
           "what of the peak in use neither torch nor the CUDA context explains (GPU only)",
           "used - context - torch's pool", paper_heading="residual", paper_digits=3),
)  # fmt: skip

ENERGY = (
    Metric("energy/j", "J", "J/answer", 1,
           "energy of one call by the card's counter, over the timed region or over a window of 5 s where that is"
           " shorter; absent where there is no counter", "joules / calls"),
    Metric("energy/j_per_token", "J/token", "J/token", 3, "energy of one kept token, from the same counter",
           "joules / kept tokens"),
    Metric("energy/power_w", "W", "power W", 0, "mean power over the same time", "joules / seconds",
           paper_heading="W"),
)  # fmt: skip

TEXT = (
    Metric("quality/bertscore_f1", "1", "BERTScore", 3,
           "BERTScore F1 against the reference answer (MiniLM, layer 6); an empty answer scores 0", "mean over prompts",
           paper_heading="BERTScore F1"),
    Metric("quality/bertscore_f1_mpnet", "1", "BERT mpnet", 3,
           "BERTScore F1 against the reference answer (mpnet, layer 8); an empty answer scores 0", "mean over prompts",
           paper_heading="BERTScore mpnet"),
    Metric("quality/judge_perplexity", "1", "judge ppl", 1,
           "a judge's perplexity of the answers, SmolLM2-135M-Instruct's unless the tag `judge` names another;"
           " **low for degenerate text**, so never read it alone",
           "exp(sum of nats / sum of tokens), over all answers", paper_heading="judge ppl."),
    Metric("quality/entropy", "nats", "entropy", 2, "entropy of a text's token frequencies", "mean over prompts"),
    Metric("quality/distinct_2", "1", "distinct-2", 2, "share of distinct word pairs in a text", "mean over prompts"),
    Metric("quality/repetition", "1", "repetition", 2, "share of token 4-grams that occurred before in the same text",
           "mean over prompts"),
    Metric("quality/mean_length", "tokens", "length", 0, "tokens up to the end token", "mean over prompts"),
    Metric("quality/not_scored", "1", "not scored", 0,
           "texts that at least one scorer could not score, and that are in no mean of its; the tag `not_scored` says"
           " which scorer and why; absent where all were scored", "count"),
)  # fmt: skip

LIKELIHOOD = (
    Metric("quality/bits_per_byte", "bits/byte", "bits/byte", 3,
           "of held-out text, once for each model (`make likelihood`): exact for LLaMA, an upper bound for LLaDA; a"
           " bound never says that LLaMA models text better", "sum of nats / ln 2 / sum of bytes"),
    Metric("quality/bits_per_byte_mc_error", "bits/byte", "MC error", 4,
           "Monte-Carlo standard error of LLaDA's bound", "sqrt(sum of squared errors in nats) / ln 2 / sum of bytes"),
)  # fmt: skip

ACCURACY = (
    Metric("quality/accuracy", "1", "accuracy", 3,
           "share of valid answers to generated tasks or word problems, checked by rule, with Wilson's interval: the"
           " primary metric of the pocket pair", "valid answers / prompts", paper_heading="all", paper_digits=2),
    Metric("quality/accuracy_one_answer", "1", "one answer", 3, "the same of tasks that have one right answer",
           "valid answers / prompts", paper_digits=2),
    Metric("quality/accuracy_many_answers", "1", "many answers", 3, "the same of tasks that have many right answers",
           "valid answers / prompts", paper_digits=2),
    *(Metric(f"quality/accuracy_{task}", "1", task, 2, f"the same of the task `{task}` alone",
             "valid answers / prompts") for task in TASKS),
    *(Metric(f"quality/accuracy_depth_{depth}", "1", f"{depth} lines", 2,
             f"the same of word problems whose working has {depth} lines alone",
             "valid answers / prompts") for depth in DEPTHS),
)  # fmt: skip

AGREEMENT = (
    Metric("agreement/token_share", "1", "tokens equal", 3,
           "share of the tokens up to the first end token, of answers that a cache (or a lower precision) wrote by"
           " itself, which are those without one (`make agreement`)", "equal tokens / tokens, mean over prompts"),
    Metric("agreement/first_divergence", "tokens", "first other", 1,
           "how many tokens stand before the first that differs, of the answers in which one does",
           "position in the answer, mean over prompts"),
    Metric("agreement/argmax_share", "1", "argmax equal", 3,
           "share of the masked positions of the block, on the canvases that the model itself went through, at which"
           " both have the same token first", "equal positions / positions, mean over prompts"),
    Metric("agreement/kl_mean_nats", "nats", "KL mean", 4,
           "KL divergence of what is said there from what the model itself says",
           "mean over positions of sum p (ln p - ln q), mean over prompts"),
    Metric("agreement/kl_p95_nats", "nats", "KL p95", 4, "the 95th percentile of that divergence over positions",
           "95th percentile over positions, mean over prompts"),
    *(Metric(f"agreement/{after(age)}", "nats", f"after {age}", 4,
             f"that divergence in forwards that come {age} or more after the last renewal, and before the next such"
             " number", "mean over positions, mean over prompts") for age in AGES),
)  # fmt: skip

HARNESS = (
    Metric("quality/empty_answers", "1", "empty", 3,
           "share of questions of a task of lm-evaluation-harness (`make accuracy`) that were answered with no text,"
           " with Wilson's interval; there `quality/accuracy` is lm-eval's own score", "empty answers / questions"),
    Metric("quality/unmatched_answers", "1", "unmatched", 3,
           "share of such questions in whose answer lm-eval's extractor found none, with Wilson's interval; at 1 the"
           " template does not fit, and the run is flagged `no answer matched`; absent for a task without extractor",
           "answers without a match / questions"),
    Metric("quality/seconds_an_item", "s", "s/item", 2,
           "seconds that such a question took, a call's time shared by the questions that it answered",
           "mean over questions"),
    Metric("quality/forwards_an_item", "1", "forwards", 1, "forwards of the call that answered such a question",
           "mean over questions"),
)  # fmt: skip

METRICS = (
    *LATENCY, *THROUGHPUT, *COMPUTE, *PREDICTED, *MEMORY, *ENERGY, *ACCURACY, *HARNESS, *TEXT, *LIKELIHOOD, *AGREEMENT,
    *LOAD,
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
INTERVAL_ENDINGS = ("_ci_low", "_ci_high")
# The units that results.json names; it has `1` for everything else, and published files are compared with it.
UNITS_IN_RESULTS = frozenset({"ms", "GiB", "tokens/s", "bytes/s", "J", "J/token", "W"})


def plain_name(name: str) -> str:
    """A metric's own name from any form that MLflow has of it: of a round, or of a bound of its interval."""
    name = name.removeprefix("rounds/")
    for ending in INTERVAL_ENDINGS:
        name = name.removesuffix(ending)
    return name


def of(name: str) -> Metric:
    """The entry of a metric, by any of its names in MLflow. Raises KeyError for what is not tracked."""
    return BY_NAME[plain_name(name)]


def unit_in_results(name: str) -> str:
    """The unit that results.json states of a number; `1` for one that is no tracked metric (a ratio, say)."""
    metric = BY_NAME.get(plain_name(name))
    return metric.unit if metric and metric.unit in UNITS_IN_RESULTS else "1"


Columns = dict[str, tuple[str, int]]  # of a table: (heading, digits) by metric


def columns(names: Iterable[str]) -> Columns:
    """Headings and digits of these metrics in the terminal."""
    return {name: (of(name).heading, of(name).digits) for name in names}


def paper_columns(names: Iterable[str]) -> Columns:
    """Headings and digits of these metrics in a table of the paper whose caption names the unit."""
    entries = {name: of(name) for name in names}
    return {
        name: (
            metric.heading if metric.paper_heading is None else metric.paper_heading,
            metric.digits if metric.paper_digits is None else metric.paper_digits,
        )
        for name, metric in entries.items()
    }


def paper_columns_with_units(names: Iterable[str]) -> Columns:
    """Headings and digits of these metrics in a table of the paper that has several units."""
    return {name: (of(name).paper_heading_with_unit or of(name).heading, of(name).digits) for name in names}


def markdown_table() -> str:
    """The table of bench/records/README.md, in Markdown: a line for each metric, one line for all tasks' accuracies."""
    tasks = {f"quality/accuracy_{task}" for task in TASKS}
    lines = ["| name | unit | meaning | formula |", "|---|---|---|---|"]
    for metric in METRICS:
        if metric.name not in tasks:
            lines.append(f"| `{metric.name}` | {metric.unit} | {metric.meaning} | {metric.formula} |")
        elif metric.name == f"quality/accuracy_{next(iter(TASKS))}":
            lines.append(f"| `quality/accuracy_TASK` | 1 | the same of one task alone | {metric.formula} |")
    return "\n".join(lines) + "\n"
