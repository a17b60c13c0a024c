"""Train the pocket pair: a LLaMA and a LLaDA of the same shape, on the same rows.

    make pair                                   # rows, tokenizer, both models, model card
    python -m bench.train --model llada --minutes 45 --out bench/pocket

Needs only torch, transformers and numpy once `.cache/pair` is prepared, so a bare GPU machine can run it.
"""

import argparse
import json
import math
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import load_file
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from bench import models, train_data
from bench.diffusion import likelihood
from bench.errors import BadInput, exit_code
from bench.train_data import EOS, MASK, SPECIALS, Rows, prepare

CACHE = Path(".cache/pair")
CANVASES = (160, 192)  # rows are batched by the shortest canvas that leaves room for their answer
CURVE_POINTS = 20


@dataclass
class Progress:
    """What happened so far: the model card's figures."""

    steps: int = 0
    tokens: int = 0  # positions pushed through the model
    epochs: float = 0.0  # over the text
    task_epochs: float = 0.0
    curve: list[dict] = field(default_factory=list)


def special_id(name: str) -> int:
    return SPECIALS.index(name)  # the trainer numbers special tokens in this order


def new_model(recipe: dict, causal: bool, device: str) -> LlamaForCausalLM:
    """An untrained model: normal(0, 0.02), the projections into the residual stream scaled by 1/sqrt(2 layers)."""
    shape = dict(recipe["shape"])
    config = LlamaConfig(
        vocab_size=recipe["vocabulary"],
        rope_parameters={"rope_type": "default", "rope_theta": shape.pop("rope_theta")},
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=special_id(EOS),
        **shape,
    )
    model = models.build(config, causal)
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.data.mul_(1 / math.sqrt(2 * config.num_hidden_layers))
    return model.to(device)


def optimizers(model: LlamaForCausalLM, settings: dict) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the rest; AdamW for all where muon_lr is 0."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and ".layers." in n and settings["muon_lr"]]
    inside = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    found = [torch.optim.AdamW(others, lr=settings["adamw_lr"], betas=(0.9, 0.98), weight_decay=0.0)]
    if matrices:
        found.append(torch.optim.Muon(matrices, lr=settings["muon_lr"], weight_decay=settings["weight_decay"]))
    return found


@dataclass(frozen=True)
class Batch:
    """ids [rows, canvas]; the answer of a row is positions first..last-1 ([rows] each), its EOS included.

    end [rows]: where a row's own canvas ends, if that is before the common one; None if it never is.
    """

    ids: torch.Tensor
    first: torch.Tensor
    last: torch.Tensor
    end: torch.Tensor | None = None


def llama_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean nats of the answer tokens, the EOS that ends a whole answer included (scalar). Position i predicts i + 1."""
    ids = batch.ids
    position = torch.arange(1, ids.shape[1], device=ids.device)
    scored = (position >= batch.first[:, None]) & (position < batch.last[:, None])
    hidden = model.model(ids, use_cache=False).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden[scored])
    return F.cross_entropy(logits.float(), ids[:, 1:][scored])


def llada_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """LLaDA's SFT loss of a batch (scalar); the answer is all of a row's canvas after its prompt, EOS padding too."""
    ids, position = batch.ids, torch.arange(batch.ids.shape[1], device=batch.ids.device)
    rows, canvas = ids.shape
    answer, visible, lengths = position >= batch.first[:, None], None, canvas - batch.first
    if batch.end is not None:
        inside = position < batch.end[:, None]
        answer, lengths = answer & inside, batch.end - batch.first
        visible = inside[:, None, None, :].expand(rows, 1, canvas, canvas)
    levels = likelihood.stratified_levels(rows, torch.rand((), device=ids.device))
    p_mask = likelihood.masking_probability(levels)
    noisy, masked = likelihood.corrupt(ids, p_mask, answer, torch.rand(ids.shape, device=ids.device), special_id(MASK))
    hidden = model.model(noisy, attention_mask=visible, use_cache=False).last_hidden_state
    lengths = lengths.float()[:, None].expand(ids.shape)
    weights = p_mask[:, None].expand(ids.shape)
    return likelihood.masked_loss(model.lm_head(hidden[masked]), ids[masked], weights[masked], lengths[masked], rows)


def bf16_is_faster(device: str) -> bool:
    """Whether a bfloat16 matrix product beats float32 by half here (always on a GPU, on some CPUs)."""
    if device == "cuda":
        return True
    seconds = []
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(2048, 256, dtype=dtype)
        b = torch.ones(256, 592, dtype=dtype)
        timings = []
        for _ in range(20):
            start = time.perf_counter()
            a @ b
            timings.append(time.perf_counter() - start)
        seconds.append(sorted(timings)[10])
    return seconds[0] > 1.5 * seconds[1]


LOSSES = {"llama": llama_loss, "llada": llada_loss}


class Batches:
    """Endless shuffled batches of rows that share a canvas, already on the device.

    canvases: rows go to the shortest that leaves room for their answer. own_canvas: an answer's canvas has
    this many tokens and ends with them, whatever the common one.
    """

    def __init__(
        self, rows: Rows, canvases: tuple[int, ...], own_canvas: int | None, size: int, device: str, seed: int
    ):
        self.ids = torch.from_numpy(rows.ids.astype(np.int16)).to(device)
        self.first = torch.from_numpy(rows.prompt_lengths).to(device)
        self.answer = torch.from_numpy(rows.answer_lengths).to(device)
        spare = rows.ids.shape[1] - np.array(canvases)  # how much shorter than the longest prompt
        which = (rows.prompt_lengths[:, None] <= rows.prompt_lengths.max() - spare).argmax(1)
        self.buckets = [(canvas, np.flatnonzero(which == i)) for i, canvas in enumerate(canvases)]
        self.own_canvas, self.size, self.random = own_canvas, size, np.random.default_rng(seed)

    def __iter__(self):
        while True:
            epoch = [
                (canvas, part)
                for canvas, bucket in self.buckets
                for part in np.array_split(self.random.permutation(bucket), max(1, len(bucket) // self.size))
                if len(part) >= self.size
            ]
            for i in self.random.permutation(len(epoch)):
                canvas, part = epoch[i]
                yield self.take(canvas, torch.from_numpy(part[: self.size]).to(self.ids.device))

    def take(self, canvas: int, index: torch.Tensor) -> Batch:
        """The rows at `index`, cut to a canvas."""
        first = self.first[index]
        end = None if self.own_canvas is None else first + self.own_canvas
        return Batch(self.ids[index, :canvas].long(), first, (first + self.answer[index]).clamp(max=canvas), end)


@dataclass
class Data:
    """What a model is trained on and watched by: batches of text and of tasks."""

    text: Batches
    tasks: Batches
    heldout: Batches

    @classmethod
    def load(cls, kind: str, recipe: dict, device: str) -> "Data":
        settings, seed = recipe["optimizer"], recipe["seed"]
        rows, task_rows = (settings[name][device][kind] for name in ("batch_rows", "task_rows"))
        tasks = train_data.task_rows(recipe, CACHE / "tokenizer.json")  # first: it forks, and CUDA must not be up
        text = Batches(Rows.load(CACHE / "train.npz"), CANVASES, None, rows, device, seed)
        heldout = Batches(Rows.load(CACHE / "heldout.npz"), CANVASES, None, rows, device, seed)
        width = tasks.ids.shape[1]
        return cls(text, Batches(tasks, (width,), recipe["task_answer_tokens"], task_rows, device, seed), heldout)

    def shapes(self) -> list[Batch]:
        """One batch of each shape that training meets, to compile for."""
        index = torch.arange(self.text.size, device=self.text.ids.device)
        found = [self.text.take(canvas, index) for canvas in CANVASES]
        return [*found, self.tasks.take(self.tasks.ids.shape[1], torch.arange(self.tasks.size, device=index.device))]


def train(
    kind: str, recipe: dict, seconds: float, device: str, start_from: Path | None
) -> tuple[LlamaForCausalLM, Progress]:
    """Train one model for a wall-clock budget; the learning rate follows the budget down to zero."""
    torch.manual_seed(recipe["seed"])
    settings = recipe["optimizer"]
    data = Data.load(kind, recipe, device)
    model = new_model(recipe, causal=kind == "llama", device=device)
    if start_from:
        model.load_state_dict(load_file(start_from), strict=False)  # the tied head is not in the file
    loss_of = Loss(kind, model, bf16_is_faster(device))
    if device == "cuda" or shutil.which("g++"):
        for layer in model.model.layers:  # one graph serves all layers; the whole model would compile nine times longer
            layer.compile(dynamic=False)
        for batch in data.shapes():  # compile before the clock starts
            loss_of(batch).backward()
        model.zero_grad()
    steppers = optimizers(model, settings)
    progress, start, text, tasks = Progress(), time.perf_counter(), iter(data.text), iter(data.tasks)
    bar = tqdm(total=round(seconds), desc=kind, unit="s", mininterval=5)
    while (elapsed := time.perf_counter() - start) < seconds:
        done = elapsed / seconds
        for batch in (next(text), next(tasks)):  # one step of the optimizer on both
            loss_of(batch).backward()
            progress.tokens += batch.ids.numel()
        step(model, steppers, min(done / settings["warmup"], (1 - done) / (1 - settings["warmup"])), settings)
        progress.steps += 1
        if done * CURVE_POINTS >= len(progress.curve) + 1:
            value = heldout_loss(loss_of, data.heldout)
            progress.curve.append({"tokens": progress.tokens, "heldout_nats_per_token": round(value, 4)})
            bar.set_postfix_str(f"{progress.steps} steps, held out {value:.3f}", refresh=False)
        bar.update(round(elapsed) - bar.n)
    bar.close()
    progress.epochs = progress.steps * data.text.size / len(data.text.ids)
    progress.task_epochs = progress.steps * data.tasks.size / len(data.tasks.ids)
    return model, progress


def step(model: LlamaForCausalLM, steppers: list, rate: float, settings: dict) -> None:
    """One clipped optimizer step at `rate` (0..1) of the peak learning rates."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip_norm"])
    for stepper in steppers:
        group = stepper.param_groups[0]
        group["lr"] = rate * group.setdefault("peak_lr", group["lr"])
        stepper.step()
        stepper.zero_grad(set_to_none=True)


@dataclass
class Loss:
    """The loss of one kind of model, under autocast where bfloat16 pays."""

    kind: str
    model: LlamaForCausalLM
    bf16: bool

    def __call__(self, batch: Batch) -> torch.Tensor:
        with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=self.bf16):
            return LOSSES[self.kind](self.model, batch)


@torch.no_grad()
def heldout_loss(loss_of: Loss, heldout: Batches) -> float:
    """Loss of held-out chat rows (nats a token); the same noise each time, so that the curve is comparable."""
    device = heldout.ids.device
    with torch.random.fork_rng(devices=[device] if heldout.ids.is_cuda else []):
        torch.manual_seed(1)
        parts = torch.arange(len(heldout.ids), device=device)[:256].split(heldout.size)
        with torch.compiler.set_stance("force_eager"):  # compiling for these shapes would cost training time
            values = [loss_of(heldout.take(CANVASES[1], part)) for part in parts]
    return float(torch.stack(values).mean())


def read_recipe(file: Path) -> dict:
    """The training recipe. Raises BadInput if it is not there."""
    if not file.is_file():
        raise BadInput(f"{file}: no such training recipe")
    return yaml.safe_load(file.read_text())


def settings_of(recipe: dict, args: argparse.Namespace) -> dict:
    """What a reader needs to know of one stage: the recipe's settings as used on this device."""
    settings = {k: v for k, v in recipe["optimizer"].items() if not isinstance(v, dict)}
    rows = {k: recipe["optimizer"][k][args.device][args.model] for k in ("batch_rows", "task_rows")}
    start = args.start_from and args.start_from.parent.name
    return settings | rows | {"task_shares": recipe["task_shares"], "started from": start}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("configs/pocket-training.yaml"))
    parser.add_argument("--model", choices=("llama", "llada"), required=True)
    parser.add_argument("--minutes", type=float, help="budget; default: the recipe's for this device")
    parser.add_argument("--minutes-of", choices=("llama", "llada"), help="the recipe's budget of this model instead")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="numbers of the recipe's optimizer")
    parser.add_argument("--out", type=Path, default=Path("bench/pocket"))
    parser.add_argument("--start-from", type=Path, help="safetensors of a LLaMA of the same shape")
    args = parser.parse_args()
    recipe = read_recipe(args.recipe)
    for item in args.set:
        name, _, value = item.partition("=")
        if not isinstance(recipe["optimizer"].get(name), int | float):
            raise BadInput(f"--set {item}: the recipe's optimizer has no number {name!r}")
        recipe["optimizer"][name] = float(value)
    prepare(recipe, CACHE)
    minutes = args.minutes or recipe["minutes"][args.device][args.minutes_of or args.model]
    model, progress = train(args.model, recipe, 60 * minutes, args.device, args.start_from)
    models.save(model, args.out / args.model, official=args.model == "llada")
    facts = {"minutes": minutes, "device": args.device, "steps": progress.steps, "tokens": progress.tokens}
    facts |= {"epochs": round(progress.epochs, 2), "task_epochs": round(progress.task_epochs, 2)}
    file = args.out / f"{args.model}-training.json"
    stages = json.loads(file.read_text()) if file.is_file() else []  # a later stage keeps the earlier ones' facts
    file.write_text(json.dumps([*stages, facts | {"settings": settings_of(recipe, args), "curve": progress.curve}]))
    print(json.dumps(facts), "last held out:", progress.curve[-1:])
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
