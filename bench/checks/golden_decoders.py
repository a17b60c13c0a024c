"""Golden vectors of samplers and caches: what a case of decoders.json asks for, and how ours differs from it.

A case is what the authors of a sampler or a cache generate with their own loop and their own model class on the
directory's checkpoint. `source` names their repository, commit, file and function. Beside the fields of generate.json
there are `decoder` (sampler, cache and their options), `forward_calls` and `wasted_forwards`: how many forwards were
made, and how many of them on a block that was already done, which ours does not make.
"""

from dataclasses import fields

import torch

from bench.common.errors import BadInput
from bench.diffusion.denoising import Denoised
from bench.diffusion.sampling import Sampling
from bench.spec import decoder_rules
from bench.spec.decoder_rules import OPTIONS, Decoder

SORT = "entropy"  # what the sampler `entropy` sorts by; a case may say so
KWARGS = {"steps", "gen_length", "block_length", "temperature", "remasking", "cfg_scale"}


def sampling_of(case: dict) -> Sampling | str:
    """The options of a case, or why ours has none such."""
    asked = dict(case["decoder"])
    if asked.pop("sort", SORT) != SORT:
        return f"sampler {asked['sampler']} sorts by entropy alone"
    asked |= refresh_of(asked.pop("refresh", {}))
    kwargs = dict(case["kwargs"])
    names = {field.name for field in fields(Sampling)}
    if unknown := sorted((set(asked) - names) | (set(kwargs) - KWARGS)):
        return f"there is no option {unknown[0]}"
    stated = {name: asked[name] for name in OPTIONS if name in asked}
    try:
        decoder_rules.check_choices(asked["sampler"], asked["cache"], "case")
        decoder_rules.check_options(Decoder(asked["sampler"], asked["cache"], stated), "case")
    except BadInput as error:
        return str(error)
    return Sampling(mask_id=case["mask_id"], eos_id=case.get("eos_id"), eot_id=case.get("eot_id"), **kwargs, **asked)


def refresh_of(stated: dict) -> dict:
    """When a cache is renewed, as ours is told."""
    if "every_steps" in stated:
        return {"refresh": stated["every_steps"]}
    if stated.get("at_block_start"):
        return {"refresh": "block"}
    return dict(stated)


def difference(case: dict, result: Denoised) -> str:
    """What of a case differs first, or nothing."""
    expected = torch.tensor(case["output_ids"])
    if result.canvas.shape != expected.shape:
        return f"shape {list(result.canvas.shape)}, expected {list(expected.shape)}"
    wrong = (result.canvas != expected).nonzero().tolist()
    if wrong:
        row, position = wrong[0]
        token, wanted = int(result.canvas[row, position]), int(expected[row, position])
        return f"row {row}, position {position}: token {token}, expected {wanted}"
    needed = case["forward_calls"] - case.get("wasted_forwards", 0)
    if result.nfe != needed:
        return f"{result.nfe} forwards, expected {needed}"
    full = case.get("full_forwards", result.nfe_full)
    return "" if result.nfe_full == full else f"{result.nfe_full} full forwards, expected {full}"
