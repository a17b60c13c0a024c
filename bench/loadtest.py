"""A server behind an address, under load: how much it serves, and how long the first token and the gaps take.

    python -m bench.loadtest --url http://127.0.0.1:8000/v1 --pair pocket
    python -m bench.loadtest --url http://127.0.0.1:8000/v1 --concurrency "1 4 16" --served my-model

The load is made by AIPerf, a generator that others maintain, in an environment of its own (.venv-load): it keeps so
many requests under way at once, takes the times at the client, and counts tokens with the pair's tokenizer, since a
chunk of a stream may hold several. The prompts are the pair's. Each number of requests at once is a cell of kind `load`
in the study, on disk before the next begins, so the same command goes on where it was stopped; give another STUDY for
another server at the same address. Each of --rounds rounds makes every load once, each by a fresh generator; the
numbers are typical values over the rounds, with intervals at 95 %.

Goodput is what the server answers a second within both limits: the first token within --ttft-limit-s, and on average
no more than --gap-limit-ms for each token after it. A key is read from the environment (OPENAI_API_KEY) and kept
nowhere. Exit status 1 says that a load failed or that MLflow did not take everything.
"""

from __future__ import annotations

import math
import sys

from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.runner import notices
from bench.runner.request import MOST_ROUNDS
from bench.spec.pair import fetch, read_pair
from bench.store.sink import Sink

AT_ONCE = "1 2 4 8 16 32"
TTFT_LIMIT_S = 2.0
GAP_LIMIT_MS = 100.0
MOST_AT_ONCE = 1024
MOST_TOKENS = 1 << 20


def parser() -> Parser:
    options = Parser("bench.loadtest", __doc__)
    add = options.add_argument
    add("--url", required=True, help="of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1")
    add("--served", default="", help="the model's name at the server; default: the only one that it lists")
    add("--pair", default="pocket", help="whose prompts are asked and whose tokenizer counts (configs/pairs)")
    add("--prompts", type=int, default=32, help="how many of them")
    add("--prompts-file", help="JSON lines with prompt in place of the pair's prompts")
    add("--gen", type=int, default=128, help="tokens of an answer at most")
    add("--concurrency", default=AT_ONCE, help=f'requests under way at once, "{AT_ONCE}"')
    add("--rounds", type=int, default=3, help="how often each is made, each time by a fresh generator")
    add("--ttft-limit-s", type=float, default=TTFT_LIMIT_S, help="seconds to the first token of a good answer at most")
    add("--gap-limit-ms", type=float, default=GAP_LIMIT_MS, help="milliseconds a token after that at most")
    add("--study", help="the study that keeps the records; default: the pair's name")
    add("--remote", default="", help="yes: the server may be another machine's")
    add("--check", action="store_true", help="see whether the server is there and serves the model, and stop")
    return options


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    at_once = checked(args)
    from bench.load import address, run, table

    server = address.checked(args.url, args.remote == "yes")
    pair = fetch(read_pair(args.pair))
    model = address.served(server, args.served, run.endpoint_of(pair))
    if args.check:
        return 0
    with notices.waiting_for("reading the prompts"):
        asked = run.chosen(pair, args.prompts, args.prompts_file)
        limits = args.ttft_limit_s, args.gap_limit_ms
        task = run.task_of(pair, server, model, asked, args.gen, at_once, *limits, args.rounds)
    sink = Sink(args.study or pair.name)
    sink.check()
    has_worked = notices.Growth(sink.file)
    found = list(run.measure(task, sink))
    failed = [each for each in found if isinstance(each, str)]
    print("\n".join(table.lines([each for each in found if not isinstance(each, str)])))
    if not has_worked and not failed:
        print(f"study {sink.study}: nothing to do, these loads are measured; STUDY= keeps those of another server")
    for words in failed:
        print(f"failed: {words}", file=sys.stderr)
    return 0 if sink.track() and not failed else 1


def checked(args) -> list[int]:
    """The numbers of requests at once. Raises BadInput for a value outside its range."""
    from bench.spec.grid import whole_numbers

    at_once = list(dict.fromkeys(whole_numbers(args.concurrency, "CONCURRENCY")))
    for name, values, most in (
        ("CONCURRENCY", at_once, MOST_AT_ONCE),
        ("ROUNDS", [args.rounds], MOST_ROUNDS),
        ("PROMPTS", [args.prompts], MOST_TOKENS),
        ("GEN", [args.gen], MOST_TOKENS),
    ):
        for value in values:
            if not 1 <= value <= most:
                raise BadInput(f"{name}={value}: expected 1 to {most}")
    for name, value in (("TTFT_LIMIT_S", args.ttft_limit_s), ("GAP_LIMIT_MS", args.gap_limit_ms)):
        if not 0 < value < math.inf:
            raise BadInput(f"{name}={value:g}: expected more than 0")
    if args.remote not in ("", "yes"):
        raise BadInput(f"REMOTE={args.remote}: expected yes, or nothing")
    return at_once


if __name__ == "__main__":
    sys.exit(exit_code(main))
