"""LLaDA's losses and likelihood bound against the official code's numbers."""

import pytest
import torch

from bench.diffusion import likelihood


def test_bound_equals_the_official_estimator(golden, tiny_forward):
    vectors = golden("likelihood.json")
    for case in vectors["estimator"]:
        torch.manual_seed(case["torch_cpu_seed"])
        prompt, answer = (torch.tensor(case[k], dtype=torch.long) for k in ("prompt_ids", "answer_ids"))
        bound = likelihood.log_likelihood_bound(
            tiny_forward, prompt, answer, vectors["mask_id"], case["mc_num"], case["batch_size"], case["cfg_scale"]
        )
        assert bound.nats == pytest.approx(case["log_likelihood"], abs=1e-3)


def test_mini_batches_equal_the_official_draws(golden):
    vectors = golden("likelihood.json")
    case = vectors["estimator"][0]
    torch.manual_seed(case["torch_cpu_seed"])
    prompt, answer = (torch.tensor(case[k], dtype=torch.long) for k in ("prompt_ids", "answer_ids"))
    for expected in case["minibatches"]:
        noisy, p_mask = likelihood.mask_answer(prompt, answer, case["batch_size"], vectors["mask_id"])
        assert noisy.tolist() == expected["noisy"]
        assert p_mask.tolist() == pytest.approx(expected["p_mask"])


def test_sft_loss_equals_the_official_one(golden, tiny_forward):
    vectors = golden("likelihood.json")
    for case in vectors["sft_loss"]:
        ids, noisy = torch.tensor(case["input_ids"]), torch.tensor(case["noisy"])
        masked = noisy == vectors["mask_id"]
        lengths = (ids.shape[1] - torch.tensor(case["prompt_lengths"]))[:, None].expand(ids.shape)
        p_mask = torch.tensor(case["p_mask"])[:, None].expand(ids.shape)
        logits = tiny_forward(noisy, None)
        loss = likelihood.masked_loss(logits[masked], ids[masked], p_mask[masked], lengths[masked].float(), len(ids))
        assert float(loss) == pytest.approx(case["loss"], abs=1e-4)


def test_corruption_keeps_prompts_clean_and_masks_answers_at_the_given_rate():
    torch.manual_seed(0)
    ids = torch.arange(1, 5001).repeat(2, 1)
    answer = torch.arange(5000) >= 1000
    p_mask = torch.tensor([0.2, 0.7])
    noisy, masked = likelihood.corrupt(ids, p_mask, answer.repeat(2, 1), torch.rand(ids.shape), mask_id=0)
    assert torch.equal(noisy == 0, masked)
    assert not masked[:, :1000].any()
    assert torch.allclose(masked[:, 1000:].float().mean(1), p_mask, atol=0.03)


def test_stratified_levels_cover_the_unit_interval_evenly():
    levels = likelihood.stratified_levels(8, torch.tensor(0.3)).sort().values
    assert torch.allclose(levels.diff(), torch.full((7,), 1 / 8))
    assert 0 <= levels.min() <= levels.max() < 1
