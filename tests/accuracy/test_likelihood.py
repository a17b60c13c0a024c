"""Likelihoods by the golden official checkpoint and by the pocket LLaMA: batches, noise, and greedy decoding."""

import pytest
import torch

from bench.accuracy import likelihood
from bench.accuracy.likelihood import Estimator, Pair
from bench.adapters.llada import LladaBody
from bench.diffusion.denoising import denoise
from bench.diffusion.sampling import Sampling
from bench.models import checkpoint, weights
from bench.quality.likelihood import exact_nats
from tests.conftest import REPO

MASK = 500
CONTEXT = [3, 14, 15, 92, 65]


@pytest.fixture(scope="module")
def llama():
    return weights.load(checkpoint.read(REPO / "bench/pocket/llama"), "cpu", torch.float32)


def test_a_batch_of_unlike_lengths_gives_what_each_pair_gives_alone(llama):
    pairs = [Pair([5, 6, 7], [8, 9]), Pair([11], [12, 13, 14, 15]), Pair([20, 21, 22, 23, 24, 25], [26])]
    together = likelihood.exact(llama, pairs)
    for pair, result in zip(pairs, together, strict=True):
        assert result.nats == pytest.approx(-exact_nats(llama, pair.context, pair.continuation), rel=1e-5)
        assert result.standard_error == 0


def test_greedy_is_what_decoding_gives(llama):
    made = llama.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=4, do_sample=False, pad_token_id=0)[0, 3:].tolist()
    other = [*made[:-1], made[-1] + 1]
    assert [each.is_greedy for each in likelihood.exact(llama, [Pair([5, 6, 7], made), Pair([5, 6, 7], other)])] == [
        True, False,
    ]  # fmt: skip


def test_the_estimate_is_the_authors(tiny, golden):
    vectors, compared = golden("likelihood.json"), 0
    for case in vectors["estimator"]:
        how = Estimator(vectors["mask_id"], case["mc_num"], case["batch_size"], case["cfg_scale"])
        found = likelihood.estimated(tiny, Pair(case["prompt_ids"], case["answer_ids"]), how, case["torch_cpu_seed"])
        assert found.nats == pytest.approx(case["log_likelihood"], abs=1e-3)
        assert found.is_greedy is None
        compared += 1
    assert compared == 4


def test_the_same_seed_gives_the_same_estimate_and_another_one_another(tiny):
    how, pair = Estimator(MASK, 16, 8), Pair(CONTEXT, [35, 89, 79, 32, 38])
    first, again, other = (likelihood.estimated(tiny, pair, how, seed).nats for seed in (1, 1, 2))
    assert first == again != other


def test_lladas_greedy_decoding_is_that_of_its_loop_with_a_token_a_step(tiny):
    options = Sampling(steps=4, gen_length=4, block_length=4, mask_id=MASK)
    done = denoise(LladaBody(tiny), torch.tensor([CONTEXT]), None, options, lambda kind: None)
    written = done.canvas[0, len(CONTEXT) :].tolist()
    how = Estimator(MASK, 2, 2, greedy=True)
    assert likelihood.estimated(tiny, Pair(CONTEXT, written), how, 0).is_greedy is True
    written[2] = (written[2] + 1) % 400
    assert likelihood.estimated(tiny, Pair(CONTEXT, written), how, 0).is_greedy is False
