"""Negative controls: adapters and models that are wrong in ways seen elsewhere, each caught by name."""

import json
from dataclasses import replace

import pytest
import torch

from bench import verify
from bench.adapters.contract import kept_tokens
from bench.adapters.llada import LladaAdapter
from bench.checks import golden
from bench.data.prompt import Prompt
from bench.measure import worker
from bench.models import checkpoint, weights
from bench.spec.work import Work
from tests.conftest import GOLDEN, make_cell


def record_of(adapter) -> dict:
    """What the worker makes of an adapter on one small cell."""
    cell = make_cell("llada", steps=8, prompts=1)
    prompts = (Prompt("p", None, {"llada": [0, 3, 40, 50, 4]}),)
    events: list[dict] = []
    worker.measure(adapter, Work("s", 1, 0, (cell,), {"h": prompts}), cell, 1, events.append)
    return events[-1]["record"]


def test_the_right_adapter_passes():
    assert record_of(LladaAdapter())["outcome"] == "ok"


def test_an_adapter_that_ignores_steps_is_caught():
    class IgnoresSteps(LladaAdapter):
        def options(self):
            return replace(super().options(), steps=4)

    record = record_of(IgnoresSteps())
    assert (record["outcome"], "4 forwards for 8 steps" in record["message"]) == ("error", True)


def test_an_adapter_that_counts_the_prompt_is_caught():
    class CountsPrompt(LladaAdapter):
        def generate(self, prompts, mark):
            output = super().generate(prompts, mark)
            ids = torch.tensor(prompts)
            return replace(output, sequences=torch.cat([ids, output.sequences], 1), kept=[21])

    record = record_of(CountsPrompt())
    assert (record["outcome"], "21 tokens" in record["message"]) == ("error", True)


def test_an_adapter_that_counts_padding_behind_the_end_is_caught():
    class CountsPadding(LladaAdapter):
        def generate(self, prompts, mark):
            output = super().generate(prompts, mark)
            sequences = torch.full_like(output.sequences, 20)  # a letter
            sequences[:, 3:] = self.special().ends[0]
            return replace(output, sequences=sequences, kept=[16])

    record = record_of(CountsPadding())
    assert (record["outcome"], "up to the first end token there are [4]" in record["message"]) == ("error", True)


def test_an_adapter_that_counts_left_padding_is_caught():
    class CountsLeftPadding(LladaAdapter):
        def generate(self, prompts, mark):
            output = super().generate(prompts, mark)
            padding = torch.full((1, 2), self.special().ends[0])
            return replace(output, sequences=torch.cat([padding, output.sequences], 1), kept=[18])

    assert "18 tokens, 18 kept, of 16 asked" in record_of(CountsLeftPadding())["message"]


def test_an_adapter_that_leaves_its_canvas_unfilled_is_caught():
    class LeavesMasks(LladaAdapter):
        def generate(self, prompts, mark):
            output = super().generate(prompts, mark)
            sequences = output.sequences.clone()
            sequences[:, -4:] = self.special().mask
            return replace(output, sequences=sequences, kept=kept_tokens(sequences, self.special().ends, "eos"))

    record = record_of(LeavesMasks())
    assert (record["outcome"], "4 mask tokens: its canvas was not filled" in record["message"]) == ("error", True)


def test_an_adapter_that_hides_forwards_is_caught():
    class Hides(LladaAdapter):
        def generate(self, prompts, mark):
            return super().generate(prompts, lambda kind: kind == "block" and mark(kind))

    assert "marked 0 steps in 8 forwards" in record_of(Hides())["message"]


def failed(folder, group: str) -> list[golden.Result]:
    return [result for result in golden.GROUPS[group](folder, golden.Model(folder)) if result.difference]


def test_the_right_model_passes_every_golden_vector(capsys):
    assert verify.verify_golden(GOLDEN) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "golden: 75/75"


def test_logits_shifted_as_for_an_autoregressive_model_are_caught(monkeypatch):
    right = golden.Model.forward
    monkeypatch.setattr(
        golden.Model, "forward", lambda self, *a: lambda ids, mask: right(self, *a)(ids, mask).roll(1, dims=1)
    )
    assert len(failed(GOLDEN, "logits")) == 5
    assert len(failed(GOLDEN, "generate")) >= 18


def test_a_causal_mask_left_on_is_caught(monkeypatch):
    build = weights.build
    monkeypatch.setattr(weights, "build", lambda config, causal, full=False: build(config, True, full))
    assert len(failed(GOLDEN, "logits")) == 5


def test_frequencies_rounded_to_bfloat16_are_caught(monkeypatch):
    load = weights.load

    def rounding(*arguments):
        model = load(*arguments)
        rotary = model.model.rotary_emb
        rotary.inv_freq = rotary.inv_freq.to(torch.bfloat16).float()
        return model

    monkeypatch.setattr(weights, "load", rounding)
    names = [result.name for result in failed(GOLDEN, "logits")]
    assert {"logits_b", "logits_c"} <= set(names)


def test_rotations_in_bfloat16_are_caught(monkeypatch):
    build = weights.build
    monkeypatch.setattr(weights, "build", lambda config, causal, full=False: build(config, causal, False))
    assert [result.name for result in failed(GOLDEN, "logits")] == ["logits_a_bf16_model"]


def test_a_wrong_generation_names_step_position_and_token(tmp_path):
    case = golden.read(GOLDEN / "generate.json", [])[0]
    forward = golden.Model(GOLDEN).forward()
    case["output_ids"][0][7] = 9
    text = golden.generation_difference(case, forward)
    assert "row 0, position 7: token 159, expected 9" in text
    assert text.startswith("step ")


def test_an_empty_directory_of_vectors_does_not_pass(tmp_path, capsys):
    (tmp_path / "tiny").symlink_to(GOLDEN / "tiny-llada")
    assert verify.verify_golden(tmp_path) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "golden: 0/0"


def test_float32_logits_are_those_of_the_official_model_to_1e_4_and_bfloat16_exactly():
    forward = golden.Model(GOLDEN).forward
    vectors = golden.load_file(GOLDEN / "logits.safetensors")
    exact = forward(torch.bfloat16)(vectors["ids_a"], None)
    assert torch.equal(exact, vectors["logits_a_bf16_model"])
    assert checkpoint.read(GOLDEN / "tiny-llada").full_precision_rope


@pytest.mark.parametrize(
    ("key", "value"),
    [("include_bias", True), ("attention_layer_norm", True), ("alibi", True), ("n_experts", 64), ("rope", False)],
)
def test_what_the_architecture_does_not_cover_is_refused_by_its_key(key, value, tmp_path):
    config = golden.read(GOLDEN / "tiny-llada" / "config.json", {}) | {key: value}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(checkpoint.BadInput, match=f"{key} is {value}"):
        checkpoint.read(tmp_path)
