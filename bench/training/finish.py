"""Makes a trained pair complete: configurations, tokenizer, and the facts of the model card.

The facts are likelihood on held-out text and accuracy on the generated tasks and word problems, measured by the
benchmark's own code.
"""

import json
import shutil
from pathlib import Path

import torch

from bench.adapters import registry
from bench.common import stats
from bench.data import prompts, tokenizers
from bench.models import checkpoint, kinds, weights
from bench.quality import text_scores
from bench.quality.likelihood import read, score
from bench.spec import pair
from bench.spec.cell import Cell, unlisted_cell
from bench.training import model_card
from bench.training.recipe import MODELS, Recipe
from bench.training.rows import BOS, CACHE, CHAT_TEMPLATE, EOS, MASK, special_id
from bench.training.train import new_model

TASK_ITEMS = 300  # test items that accuracy is measured on
TASK_BATCH = 100  # items in one call
TASK_STEPS = (1, 2, 4, 8, 16, 32)  # denoising steps of LLaDA
TASK_TOKENS = 32  # of an answer, and of LLaDA's only block
PROBLEM_ITEMS = 250  # word problems of the test side, as many of each depth
PROBLEM_TOKENS = 96  # of an answer
PROBLEM_BLOCKS = (8, 32, 96)  # tokens of LLaDA's blocks
PROBLEM_STEPS = (12, 24, 48, 96)


def write_configs(recipe: Recipe, out: Path) -> None:
    """config.json of both models, each in its own format, and the tokenizer that they share."""
    config = new_model(recipe, causal=True, device="meta").config
    (out / "llama" / "config.json").write_text(json.dumps(config.to_diff_dict(), indent=1, default=str) + "\n")
    official = {
        "model_type": "llada",
        "block_type": "llama",
        "activation_type": "silu",
        "layer_norm_type": "rms",
        "rms_norm_eps": config.rms_norm_eps,
        "rope": True,
        "rope_full_precision": True,
        "rope_theta": config.rope_parameters["rope_theta"],
        "d_model": config.hidden_size,
        "n_layers": config.num_hidden_layers,
        "n_heads": config.num_attention_heads,
        "n_kv_heads": config.num_key_value_heads,
        "mlp_hidden_size": config.intermediate_size,
        "vocab_size": config.vocab_size,
        "embedding_size": config.vocab_size,
        "max_sequence_length": config.max_position_embeddings,
        "weight_tying": True,
        "include_bias": False,
        "include_qkv_bias": False,
        "alibi": False,
        "mask_token_id": special_id(MASK),
        "eos_token_id": special_id(EOS),
        "pad_token_id": special_id(EOS),
    }
    (out / "llada" / "config.json").write_text(json.dumps(official, indent=1) + "\n")
    tokenizer = out / "tokenizer"
    tokenizer.mkdir(exist_ok=True)
    shutil.copy(CACHE / "tokenizer.json", tokenizer)
    names = {"bos_token": BOS, "eos_token": EOS, "pad_token": EOS, "mask_token": MASK, "chat_template": CHAT_TEMPLATE}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | names
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


def likelihood(files: pair.ModelFile, texts: list[str], count: int, device: str) -> dict[str, dict]:
    """Bits per byte by text, with the interval over texts and the Monte-Carlo error of LLaDA's bound."""
    by_text = {}
    for source in texts:
        passages = read(source, count)
        measured = score(files, "float32", passages, device)
        bits = stats.bits_per_byte(measured.nats, measured.text_bytes)
        error = stats.bits_per_byte_error(measured.standard_errors, measured.text_bytes)
        name = "WikiText-2 test" if "wiki" in source else "ShareGPT" if source == "sharegpt" else Path(source).name
        interval = {part: round(value, 4) for part, value in vars(bits).items()}
        by_text[name] = interval | {"monte_carlo_error": round(error, 4), "texts": len(passages)}
    return by_text


def accuracy(kind: str, out: Path, count: int, device: str) -> dict[str, dict[str, float]]:
    """Share of valid answers to `count` test items by step count (`-` for LLaMA): in all, by kind, by task."""
    adapter = registry.create(kind)
    questions = [prompt for prompt, _ in prompts.task_items(count)]
    by_steps = {}
    for steps in TASK_STEPS if kinds.has_steps(kind) else (None,):
        adapter.load(checked_cell("tasks", kind, out, count, device, TASK_TOKENS, steps, TASK_TOKENS))
        values = text_scores.accuracy(questions, answers(adapter, questions, str(out / "tokenizer")))
        by_steps[str(steps or "-")] = {name: mean_of_scored(scores) for name, scores in values.items()}
    return by_steps


def problem_accuracy(kind: str, out: Path, count: int, device: str) -> list[dict]:
    """Share of right answers to `count` word problems, in all and by depth, at each block length and step count (None
    for LLaMA)."""
    adapter = registry.create(kind)
    questions = [prompt for prompt, _ in prompts.problem_items(count)]
    ways = [(block, steps) for block in PROBLEM_BLOCKS for steps in PROBLEM_STEPS]
    rows = []
    for block, steps in ways if kinds.has_steps(kind) else [(None, None)]:
        adapter.load(checked_cell("problems", kind, out, count, device, PROBLEM_TOKENS, steps, block))
        values = text_scores.accuracy(questions, answers(adapter, questions, str(out / "tokenizer")))
        scores = {name: mean_of_scored(scores) for name, scores in values.items()}
        rows.append({"block_length": block, "steps": steps} | scores)
    return rows


def answers(adapter: registry.Adapter, questions: list[str], tokenizer: str) -> list[str]:
    """The texts that a loaded adapter answers with, in batches. tokenizer: its directory."""
    ids = [tokenizers.encode(tokenizer, question) for question in questions]
    texts = []
    for start in range(0, len(ids), TASK_BATCH):
        output = adapter.generate(ids[start : start + TASK_BATCH], lambda kind: None)
        rows = [row[:kept] for row, kept in zip(output.sequences.tolist(), output.kept, strict=True)]
        texts += tokenizers.tokenizer(tokenizer).batch_decode(rows, skip_special_tokens=True)
    return texts


def mean_of_scored(scores: list[float | None]) -> float:
    """Mean of the items that were scored, to three digits; None stands for an item of another task."""
    scored = [score for score in scores if score is not None]
    return round(sum(scored) / len(scored), 3)


def checked_cell(
    grid: str, kind: str, out: Path, count: int, device: str, tokens: int, steps: int | None, block: int | None
) -> Cell:
    """The settings under which the adapters answer generated prompts, as in the grid of that name but batched."""
    diffusion = {"steps": steps, "block_length": block, "remasking": "low_confidence"} if steps else {}
    return unlisted_cell(
        grid, kind, device, pair="pocket", weights=str(out / kind), tokenizer=str(out / "tokenizer"),
        gen_length=tokens, batch_size=TASK_BATCH, prompts=count, stop="eos", **diffusion,
    )  # fmt: skip


def facts(kind: str, out: Path, texts: list[str], count: int, device: str) -> dict:
    """What the card says of one model. texts, count: what likelihood is measured on, and passages of each."""
    model = weights.load(checkpoint.read(out / kind), "cpu", torch.bfloat16)
    files = pair.ModelFile(weights=str(out / kind), tokenizer=str(out / "tokenizer"))
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "bytes": (out / kind / "model.safetensors").stat().st_size,
        "stages": json.loads((out / f"{kind}-training.json").read_text()),
        "bits_per_byte": likelihood(files, texts, count, device),
        "accuracy": accuracy(kind, out, TASK_ITEMS, device),
        "problems": problem_accuracy(kind, out, PROBLEM_ITEMS, device),
    }


def complete(recipe: Recipe, out: Path, equal_budget: Path | None, texts: list[str], count: int, device: str) -> Path:
    """Write what the trained pair in `out` still lacks; returns the model card's place.

    equal_budget: directory of a LLaDA that was trained from scratch for LLaMA's budget, which the card compares. texts:
    sources of held-out text (bench/perplexity.py); count: passages of each.
    """
    write_configs(recipe, out)
    facts_of = {"recipe": recipe.as_dict(), "data": json.loads((CACHE / "counts.json").read_text())}
    for kind in MODELS:
        facts_of[kind] = facts(kind, out, texts, count, device)
    if equal_budget:
        for name in ("llada/config.json", "tokenizer"):
            copy = shutil.copytree if (out / name).is_dir() else shutil.copy
            if not (equal_budget / name).exists():
                copy(out / name, equal_budget / name)
        facts_of["llada_equal_budget"] = facts("llada", equal_budget, texts, count, device)
    (out / "card.json").write_text(json.dumps(facts_of, indent=1) + "\n")
    (out / "README.md").write_text(model_card.text(facts_of))
    for kind in MODELS:
        (out / f"{kind}-training.json").unlink()
    return out / "README.md"
