"""The README of the room says how to add a sampler in at most 60 lines; here it is done as it says."""

import re
from dataclasses import make_dataclass

import torch

from bench.adapters.llada import LladaBody
from bench.diffusion import choices, samplers
from bench.diffusion.denoising import denoise
from bench.diffusion.sampling import Sampling
from bench.spec import decoder_rules
from bench.spec.decoder_rules import Decoder
from tests.conftest import REPO
from tests.support.refusals import refusal

README = (REPO / "bench/diffusion/README.md").read_text()
SECTION = README.split("## To add a sampler\n")[1].split("\n## ")[0]
FUNCTION, SAMPLER_LINE, CHOICE_LINE = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)


def add(monkeypatch) -> type:
    """Steps 1 to 4. Returns `Sampling` with the new field."""
    names = vars(samplers) | {"Sampling": Sampling}
    exec(re.sub("^   ", "", FUNCTION, flags=re.MULTILINE), names)
    for registry, line in ((samplers.SAMPLERS, SAMPLER_LINE), (choices.SAMPLERS, CHOICE_LINE)):
        entry = eval(f"{{{line}}}", names | vars(choices) | {"Sampler": samplers.Sampler})
        for name, value in entry.items():
            monkeypatch.setitem(registry, name, value)
    return make_dataclass("Wider", [("gap", float | None, None)], bases=(Sampling,), frozen=True)


def test_the_section_is_short():
    assert len(SECTION.splitlines()) <= 60


def test_the_sampler_of_the_readme_runs_under_caches_and_in_batches(monkeypatch, tiny):
    wider = add(monkeypatch)
    ids = torch.tensor([[307, 119, 327, 128], [50, 60, 70, 80]])
    plain = {"steps": None, "gen_length": 16, "block_length": 8, "mask_id": 500, "sampler": "near", "head": "lean"}
    forwards = {}
    for gap in (0.0, 0.1, 1.0):
        alone = denoise(LladaBody(tiny), ids, None, wider(**plain, gap=gap))
        assert not (alone.canvas == 500).any()
        refreshed = denoise(LladaBody(tiny), ids, None, wider(**plain, gap=gap, cache="dual", refresh=1))
        assert refreshed.canvas.tolist() == alone.canvas.tolist()
        forwards[gap] = alone.nfe
    assert forwards[0.0] == 16 > forwards[0.1] > forwards[1.0] == 2


def test_its_option_is_checked_as_the_line_says(monkeypatch):
    add(monkeypatch)
    decoder_rules.check_options(Decoder("near", "none", {"gap": 0.5}), "grid")
    message = refusal(decoder_rules.check_options, Decoder("near", "none", {"gap": 2}), "grid")
    assert message == "grid: gap 2 is out of range; give a number from 0 to 1"
