"""The golden group `decoders`: every case passes, and what would differ is named."""

import json
from dataclasses import replace

import pytest
import torch

from bench.checks import golden, golden_decoders
from bench.diffusion.denoising import Denoised
from tests.conftest import GOLDEN

CASES = json.loads((GOLDEN / "decoders.json").read_text())


@pytest.fixture(scope="module")
def model():
    return golden.Model(GOLDEN)


@pytest.mark.parametrize("head", ["official", "official-old", "lean"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_ours_gives_what_the_authors_own_code_gave(case, head, model):
    options = replace(golden_decoders.sampling_of(case), head=head)
    result = golden.generated(case, model.forward(), options)
    assert golden_decoders.difference(case, result) == ""
    if "batch" not in case["name"] and not case["wasted_forwards"]:  # there rows that are done leave the batch
        rows = [sum(n) / len(n) if isinstance(n, list) else n for n in case["rows_per_forward"]]
        assert result.positions == round(sum(rows))


@pytest.mark.parametrize(("changes", "message"), [
    ({"nfe": 5}, "5 forwards, expected 16"),
    ({"nfe_full": 3}, "3 full forwards, expected 16"),
    ({"canvas": torch.zeros(1, 3)}, "shape [1, 3], expected [1, 38]"),
])  # fmt: skip
def test_what_differs_is_said(changes, message):
    case = CASES[0]
    right = Denoised(torch.tensor(case["output_ids"]), 16, 16, 0, [32], 0)
    assert golden_decoders.difference(case, right) == ""
    assert golden_decoders.difference(case, replace(right, **changes)) == message


def test_the_first_wrong_token_is_said():
    case = CASES[0]
    canvas = torch.tensor(case["output_ids"])
    canvas[0, 9] += 1
    text = golden_decoders.difference(case, Denoised(canvas, 16, 16, 0, [32], 0))
    assert text == f"row 0, position 9: token {int(canvas[0, 9])}, expected {int(canvas[0, 9]) - 1}"


@pytest.mark.parametrize(("decoder", "message"), [
    ({"sampler": "slow", "cache": "none"}, "case: there is no sampler 'slow'"),
    ({"sampler": "fixed", "cache": "none", "speed": 2}, "there is no option speed"),
    ({"sampler": "threshold", "cache": "none", "threshold": 3.0}, "case: threshold 3.0 is out of range"),
    ({"sampler": "entropy", "cache": "none", "gamma": 1.0, "sort": "confidence"}, "sampler entropy sorts by entropy"),
])  # fmt: skip
def test_a_decoder_that_is_not_here_fails_with_its_reason(decoder, message, tmp_path, model):
    (tmp_path / "decoders.json").write_text(json.dumps([CASES[0] | {"decoder": decoder}, CASES[1]]))
    first, second = golden.decoders(tmp_path, model)
    assert first.difference.startswith(message)
    assert second.difference == ""
