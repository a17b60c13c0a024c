"""Golden vectors: what the official model and sampler gave, run again on ours.

A directory of vectors holds one checkpoint in the official format and any of these files:

    generate.json               whole generations, compared token for token
    decoders.json               the same with other samplers and caches, as their authors' own code runs them
    logits.safetensors          logits of given rows
    num_transfer_tokens.json    how many tokens each step of the schedule commits
    likelihood.json             likelihood bounds under given noise, and the two training losses
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from bench.adapters.llada import LladaBody
from bench.checks import golden_decoders
from bench.common import read as reader
from bench.common.errors import BadInput
from bench.diffusion import likelihood
from bench.diffusion.denoising import Denoised, denoise
from bench.diffusion.head import Forward, guided_logits
from bench.diffusion.sampling import Sampling
from bench.diffusion.schedules import schedule
from bench.models import checkpoint, weights

LOGITS_TOLERANCE = 1e-4  # of float32 logits; those of bfloat16 may differ by a rounding step of the largest logit
NATS_TOLERANCE = 1e-3  # of up to 100 nats; of more than 100 nats, 1e-5 of them


@dataclass(frozen=True)
class Result:
    """One golden vector: its group and name, and what differs first (empty if nothing does)."""

    group: str
    name: str
    difference: str


class Model:
    """The directory's checkpoint, loaded in a dtype when first needed."""

    def __init__(self, folder: Path):
        configs = sorted(folder.glob("*/config.json"))
        if not configs:
            raise BadInput(f"{folder}: no checkpoint in it (a subdirectory with config.json)")
        self.checkpoint = checkpoint.read(configs[0].parent)
        self.loaded: dict[torch.dtype, LladaBody] = {}

    def forward(self, dtype: torch.dtype = torch.float32) -> LladaBody:
        """The model as a function of ids and attention mask, [rows, positions] each, to logits."""
        if dtype not in self.loaded:
            self.loaded[dtype] = LladaBody(weights.load(self.checkpoint, "cpu", dtype))
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
    canvases: list[torch.Tensor] = []  # as each forward met them, [rows, positions]

    def watched(ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        canvases.append(ids[: len(case["prompt_ids"])].clone())
        return forward(ids, mask)

    result = generated(case, watched, sampling_of(case))
    expected = torch.tensor(case["output_ids"])
    if result.canvas.shape != expected.shape:
        return f"shape {list(result.canvas.shape)}, expected {list(expected.shape)}"
    if result.nfe != case.get("forward_calls", result.nfe):
        return f"{result.nfe} forwards, expected {case['forward_calls']}"
    return token_difference([*canvases[1:], result.canvas], expected, case["mask_id"])


def generated(case: dict, forward: Forward, options: Sampling) -> Denoised:
    """What ours generates for a golden case."""
    if case.get("seed") is not None:
        torch.manual_seed(case["seed"])
    mask = case.get("attention_mask")
    mask = None if mask is None else torch.tensor(mask)
    return denoise(forward, torch.tensor(case["prompt_ids"]), mask, options)


def token_difference(canvases: list[torch.Tensor], expected: torch.Tensor, mask_id: int) -> str:
    """The wrong token that was committed first, or nothing. canvases: after each step, the last one the result."""
    result = canvases[-1]
    wrong = (result != expected).nonzero().tolist()
    if not wrong:
        return ""

    def step_of(place: list[int]) -> int:
        row, position = place
        steps = (step for step, canvas in enumerate(canvases) if canvas[row, position] != mask_id)
        return next(steps, len(canvases))

    row, position = min(wrong, key=step_of)
    step = step_of([row, position])
    token = int(result[row, position])
    return f"step {step}, row {row}, position {position}: token {token}, expected {int(expected[row, position])}"


def generations(folder: Path, model: Model) -> Iterator[Result]:
    """Whole generations."""
    for case in read(folder / "generate.json", []):
        yield Result("generate", case["name"], generation_difference(case, model.forward()))


def decoders(folder: Path, model: Model) -> Iterator[Result]:
    """Generations of other samplers and caches: equal tokens, in as many forwards as a loop needs that looks first."""
    for case in read(folder / "decoders.json", []):
        options = golden_decoders.sampling_of(case)
        if isinstance(options, str):
            yield Result("decoders", case["name"], options)
            continue
        result = generated(case, model.forward(), options)
        yield Result("decoders", case["name"], golden_decoders.difference(case, result))


def all_logits(folder: Path, model: Model) -> Iterator[Result]:
    """Logits of given rows, padding left out."""
    file = folder / "logits.safetensors"
    vectors = load_file(file) if file.is_file() else {}
    for name in sorted(n for n in vectors if n.startswith("logits_")):
        case = re.sub(r"_bf16_model$", "", name.removeprefix("logits_"))
        expected, mask = vectors[name], vectors.get(f"attention_mask_{case}")
        logits = model.forward(expected.dtype)(vectors[f"ids_{case}"], mask)
        error = (logits.float() - expected.float()).abs().amax(-1)
        if mask is not None:
            error = error * mask  # nobody uses what a padding position says
        rounding_step = float(expected.float().abs().max()) * torch.finfo(expected.dtype).eps
        limit = LOGITS_TOLERANCE if expected.dtype == torch.float32 else rounding_step
        row, position = divmod(int(error.argmax()), error.shape[1])
        worst = float(error.max())
        text = f"row {row}, position {position}: logits differ by {worst:.2g}, more than {limit:.2g}"
        yield Result("logits", name, "" if worst <= limit else text)


def schedules(folder: Path, model: Model) -> Iterator[Result]:
    """How many tokens each step commits."""
    for case in read(folder / "num_transfer_tokens.json", []):
        counts = schedule(case["masked"], case["steps"])
        expected = case["transfer"]
        steps = [i for i, (count, wanted) in enumerate(zip(counts, expected, strict=False)) if count != wanted]
        text = f"step {steps[0] if steps else len(counts)}: {counts} expected {expected}"
        name = f"{case['masked']} masked, {case['steps']} steps"
        yield Result("schedule", name, "" if counts == expected else text)


def nats_difference(nats: float, expected: float) -> str:
    """How a number of nats differs from the expected one by more than the tolerance, or nothing."""
    is_close = abs(nats - expected) <= NATS_TOLERANCE * max(1.0, abs(expected) / 100)
    return "" if is_close else f"{nats:.6f}, expected {expected:.6f}"


def likelihoods(folder: Path, model: Model) -> Iterator[Result]:
    """Likelihood bounds: as the official estimator draws its noise, and under given noise."""
    vectors = read(folder / "likelihood.json", {})
    mask_id = vectors.get("mask_id", model.checkpoint.mask_id)
    for case in vectors.get("estimator", []):
        torch.manual_seed(case["torch_cpu_seed"])
        prompt = torch.tensor(case["prompt_ids"], dtype=torch.long)
        answer = torch.tensor(case["answer_ids"], dtype=torch.long)
        sizes = case["mc_num"], case["batch_size"], case["cfg_scale"]
        bound = likelihood.log_likelihood_bound(model.forward(), prompt, answer, mask_id, *sizes)
        yield Result("likelihood", case["name"], nats_difference(bound.nats, case["log_likelihood"]))
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
    for (row, position), of_token, expected in zip(masked.nonzero().tolist(), nats.tolist(), case["ce"], strict=True):
        if difference := nats_difference(of_token, expected):
            return f"row {row}, position {position}: {difference} nats"
    p_mask = torch.tensor(case["p_mask"])[:, None].expand(noisy.shape)[masked]
    return nats_difference(-float((nats / p_mask).sum() / len(noisy)), case["log_likelihood_of_minibatch"])


def losses(folder: Path, model: Model) -> Iterator[Result]:
    """The losses of pretraining and of fine-tuning (SFT) under given noise."""
    vectors = read(folder / "likelihood.json", {})
    mask_id = vectors.get("mask_id", model.checkpoint.mask_id)
    for group in ("pretrain_loss", "sft_loss"):
        for number, case in enumerate(vectors.get(group, [])):
            ids = torch.tensor(case["input_ids"])
            noisy = torch.tensor(case["noisy"])
            lengths = torch.full((len(ids),), ids.shape[1])
            if group == "sft_loss":
                lengths = lengths - torch.tensor(case["prompt_lengths"])
            masked = noisy == mask_id
            weight = torch.tensor(case["p_mask"])[:, None].expand(ids.shape)[masked]
            count = lengths[:, None].expand(ids.shape)[masked]
            with torch.inference_mode():
                logits = model.forward()(noisy, None)[masked]
            loss = likelihood.masked_loss(logits, ids[masked], weight, count, len(ids))
            yield Result("losses", f"{group} {number}", nats_difference(float(loss), case["loss"]))


GROUPS: dict[str, Callable[[Path, Model], Iterator[Result]]] = {
    "generate": generations,
    "decoders": decoders,
    "logits": all_logits,
    "schedule": schedules,
    "likelihood": likelihoods,
    "losses": losses,
}


def read(file: Path, otherwise: object) -> object:
    """What a JSON file holds; `otherwise` where there is no such file."""
    return reader.json_value(reader.text_of(file), file) if file.is_file() else otherwise


@dataclass(frozen=True)
class GroupResult:
    """What came of a group of vectors: how many there are, and those that differ."""

    group: str
    total: int
    wrong: list[Result]

    @property
    def passed(self) -> int:
        return self.total - len(self.wrong)

    @property
    def line(self) -> str:
        """The group as a door prints it, with the first vector that differs."""
        first = f"; first: {self.wrong[0].name}: {self.wrong[0].difference}" if self.wrong else ""
        return f"{self.group:11} {self.passed}/{self.total}{first}"


def check(folder: Path) -> Iterator[GroupResult]:
    """Run every vector of a directory, group by group. Raises BadInput if it holds no checkpoint."""
    model = Model(folder)
    for group, run in GROUPS.items():
        results = list(run(folder, model))
        yield GroupResult(group, len(results), [result for result in results if result.difference])
