"""Golden vectors: what the official model and sampler gave, run again on ours (`bench/verify.py` is the command).

A directory holds one checkpoint in the official format and any of generate.json, num_transfer_tokens.json,
logits.safetensors, likelihood.json.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from bench.common.errors import BadInput
from bench.diffusion import likelihood
from bench.diffusion.denoising import denoise
from bench.diffusion.head import Forward, guided_logits
from bench.diffusion.samplers import Sampling, schedule
from bench.models import checkpoint, weights

LOGITS_TOLERANCE = 1e-4  # float32; the bfloat16 model is held to a rounding step of its largest logit
NATS_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Result:
    """One golden unit: its group and name, and what differs first (empty if nothing does)."""

    group: str
    name: str
    difference: str


class Model:
    """The directory's checkpoint, loaded in a dtype when first needed."""

    def __init__(self, folder: Path):
        found = sorted(folder.glob("*/config.json"))
        if not found:
            raise BadInput(f"{folder}: no checkpoint in it (a subdirectory with config.json)")
        self.checkpoint = checkpoint.read(found[0].parent)
        self.loaded: dict[torch.dtype, Forward] = {}

    def forward(self, dtype: torch.dtype = torch.float32) -> Forward:
        if dtype not in self.loaded:
            model = weights.load(self.checkpoint, "cpu", dtype)
            self.loaded[dtype] = lambda ids, mask: model(ids, attention_mask=mask, use_cache=False).logits
        return self.loaded[dtype]


def sampling_of(case: dict) -> Sampling:
    """The options of a golden generation; its flag `confidence_eos_eot_inf` means what the official code does."""
    kwargs = dict(case["kwargs"])
    flag = "official" if kwargs.pop("confidence_eos_eot_inf", False) else "off"
    return Sampling(
        mask_id=case["mask_id"], eos_id=case.get("eos_id"), eot_id=case.get("eot_id"), confidence_eos_eot=flag, **kwargs
    )


def generation_difference(case: dict, forward: Forward) -> str:
    """Run one golden generation; the first step, position and token that differ, or nothing."""
    canvases: list[torch.Tensor] = []

    def watched(ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        canvases.append(ids[: len(case["prompt_ids"])].clone())
        return forward(ids, mask)

    if case.get("seed") is not None:
        torch.manual_seed(case["seed"])
    mask = case.get("attention_mask")
    mask = None if mask is None else torch.tensor(mask)
    found = denoise(watched, torch.tensor(case["prompt_ids"]), mask, sampling_of(case))
    expected = torch.tensor(case["output_ids"])
    if found.canvas.shape != expected.shape:
        return f"shape {list(found.canvas.shape)}, expected {list(expected.shape)}"
    if found.nfe != case.get("forward_calls", found.nfe):
        return f"{found.nfe} forwards, expected {case['forward_calls']}"
    wrong = (found.canvas != expected).nonzero().tolist()
    if not wrong:
        return ""
    states = [*canvases[1:], found.canvas]

    def step_of(place: list[int]) -> int:
        return next((i for i, state in enumerate(states) if state[place[0], place[1]] != case["mask_id"]), len(states))

    row, position = min(wrong, key=step_of)
    token, wanted = int(found.canvas[row, position]), int(expected[row, position])
    return f"step {step_of([row, position])}, row {row}, position {position}: token {token}, expected {wanted}"


def generations(folder: Path, model: Model) -> Iterator[Result]:
    for case in read(folder / "generate.json", []):
        yield Result("generate", case["name"], generation_difference(case, model.forward()))


def all_logits(folder: Path, model: Model) -> Iterator[Result]:
    file = folder / "logits.safetensors"
    vectors = load_file(file) if file.is_file() else {}
    for name in sorted(n for n in vectors if n.startswith("logits_")):
        case = re.sub(r"_bf16_model$", "", name.removeprefix("logits_"))
        expected, mask = vectors[name], vectors.get(f"attention_mask_{case}")
        logits = model.forward(expected.dtype)(vectors[f"ids_{case}"], mask)
        error = (logits.float() - expected.float()).abs().amax(-1)
        if mask is not None:
            error = error * mask  # what a padding position says is used by nobody
        step = float(expected.float().abs().max()) * torch.finfo(expected.dtype).eps
        limit = LOGITS_TOLERANCE if expected.dtype == torch.float32 else step
        place = divmod(int(error.argmax()), error.shape[1])
        worst = float(error.max())
        text = f"row {place[0]}, position {place[1]}: logits differ by {worst:.2g}, more than {limit:.2g}"
        yield Result("logits", name, "" if worst <= limit else text)


def schedules(folder: Path, model: Model) -> Iterator[Result]:
    for case in read(folder / "num_transfer_tokens.json", []):
        found = schedule(case["masked"], case["steps"])
        steps = [i for i, (a, b) in enumerate(zip(found, case["transfer"], strict=False)) if a != b]
        same = found == case["transfer"]
        text = f"step {steps[0] if steps else len(found)}: {found} expected {case['transfer']}"
        yield Result("schedule", f"{case['masked']} masked, {case['steps']} steps", "" if same else text)


def near(found: float, expected: float) -> str:
    close = abs(found - expected) <= NATS_TOLERANCE * max(1.0, abs(expected) / 100)
    return "" if close else f"{found:.6f}, expected {expected:.6f}"


def likelihoods(folder: Path, model: Model) -> Iterator[Result]:
    vectors = read(folder / "likelihood.json", {})
    mask_id = vectors.get("mask_id", model.checkpoint.mask_id)
    for case in vectors.get("estimator", []):
        torch.manual_seed(case["torch_cpu_seed"])
        prompt, answer = (torch.tensor(case[key], dtype=torch.long) for key in ("prompt_ids", "answer_ids"))
        size = case["mc_num"], case["batch_size"], case["cfg_scale"]
        bound = likelihood.log_likelihood_bound(model.forward(), prompt, answer, mask_id, *size)
        yield Result("likelihood", case["name"], near(bound.nats, case["log_likelihood"]))
    for case in vectors.get("fixed_masks", []):
        yield Result("likelihood", case["name"], fixed_mask_difference(case, model.forward(), mask_id))


def fixed_mask_difference(case: dict, forward: Forward, mask_id: int) -> str:
    """Cross-entropy of each masked token of given noisy rows, and their weighted sum."""
    ids = torch.tensor(case["prompt_ids"] + case["answer_ids"])
    noisy = torch.tensor(case["noisy"])
    is_prompt = (torch.arange(len(ids)) < len(case["prompt_ids"])).repeat(len(noisy), 1)
    with torch.inference_mode():
        logits = guided_logits(forward, noisy, None, is_prompt, case["cfg_scale"], mask_id)
    masked = noisy == mask_id
    nats = F.cross_entropy(logits[masked].float(), ids.repeat(len(noisy), 1)[masked], reduction="none")
    for place, found, expected in zip(masked.nonzero().tolist(), nats.tolist(), case["ce"], strict=True):
        if near(found, expected):
            return f"row {place[0]}, position {place[1]}: {near(found, expected)} nats"
    p_mask = torch.tensor(case["p_mask"])[:, None].expand(noisy.shape)[masked]
    return near(-float((nats / p_mask).sum() / len(noisy)), case["log_likelihood_of_minibatch"])


def losses(folder: Path, model: Model) -> Iterator[Result]:
    vectors = read(folder / "likelihood.json", {})
    mask_id = vectors.get("mask_id", model.checkpoint.mask_id)
    for group in ("pretrain_loss", "sft_loss"):
        for number, case in enumerate(vectors.get(group, [])):
            ids, noisy = torch.tensor(case["input_ids"]), torch.tensor(case["noisy"])
            lengths = torch.full((len(ids),), ids.shape[1])
            if group == "sft_loss":
                lengths = lengths - torch.tensor(case["prompt_lengths"])
            masked = noisy == mask_id
            weight = torch.tensor(case["p_mask"])[:, None].expand(ids.shape)[masked]
            count = lengths[:, None].expand(ids.shape)[masked]
            with torch.inference_mode():
                logits = model.forward()(noisy, None)[masked]
            loss = likelihood.masked_loss(logits, ids[masked], weight, count, len(ids))
            yield Result("losses", f"{group} {number}", near(float(loss), case["loss"]))


GROUPS: dict[str, Callable[[Path, Model], Iterator[Result]]] = {
    "generate": generations,
    "logits": all_logits,
    "schedule": schedules,
    "likelihood": likelihoods,
    "losses": losses,
}


def read(file: Path, otherwise: object) -> object:
    return json.loads(file.read_text()) if file.is_file() else otherwise


def verify(folder: Path) -> int:
    """Run every vector of a directory; prints a line a group. Returns 1 if any differs or none was found, else 0."""
    model = Model(folder)
    passed = total = 0
    for group, run in GROUPS.items():
        results = list(run(folder, model))
        good = sum(not result.difference for result in results)
        first = next((f"; first: {r.name}: {r.difference}" for r in results if r.difference), "")
        print(f"{group:11} {good}/{len(results)}{first}")
        passed, total = passed + good, total + len(results)
    print(f"golden: {passed}/{total}")
    return 0 if passed == total > 0 else 1
