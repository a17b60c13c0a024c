"""What the pocket pair is trained to minimise: LLaDA's loss by its properties, LLaMA's against plain cross-entropy."""

import math

import pytest
import torch
import torch.nn.functional as F

from bench.training.batches import Batch
from bench.training.losses import Loss, llada_loss, llama_loss


def test_training_loss_of_a_uniform_model_is_log_of_the_vocabulary():
    class Uniform(torch.nn.Module):
        def model(self, ids, attention_mask, use_cache):
            return type("Out", (), {"last_hidden_state": torch.zeros(*ids.shape, 4)})

        def lm_head(self, hidden):
            return torch.zeros(len(hidden), 50)

    torch.manual_seed(0)
    ids = torch.randint(5, 50, (512, 40))
    first, last = torch.full((512,), 10), torch.full((512,), 40)
    for end in (None, torch.full((512,), 30)):  # a row's own canvas may end before the common one
        loss = llada_loss(Uniform(), Batch(ids, first, last, end))
        assert float(loss) == pytest.approx(math.log(50), rel=0.05)


def test_training_sees_a_row_as_on_its_own_canvas(tiny):
    """Positions behind a row's canvas are neither seen nor scored: whatever stands there, the loss is the same."""
    ids = torch.randint(5, 50, (8, 24))
    first, last, end = torch.full((8,), 6), torch.full((8,), 12), torch.full((8,), 18)
    losses = []
    for _ in range(2):
        ids[:, 18:] = torch.randint(5, 50, (8, 6))
        with torch.random.fork_rng():
            torch.manual_seed(1)
            losses.append(float(llada_loss(tiny, Batch(ids, first, last, end))))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.fixture
def batch() -> Batch:
    """Eight rows of a prompt of 6 tokens and an answer of 6, on a canvas of 24."""
    torch.manual_seed(0)
    ids = torch.randint(5, 50, (8, 24))
    return Batch(ids, first=torch.full((8,), 6), last=torch.full((8,), 12))


def test_llamas_loss_is_the_cross_entropy_of_the_answers_tokens_alone(tiny, batch):
    logits = tiny(batch.ids, use_cache=False).logits[:, 5:11]  # those that predict positions 6 to 11
    expected = F.cross_entropy(logits.flatten(0, 1), batch.ids[:, 6:12].flatten())
    assert float(llama_loss(tiny, batch)) == pytest.approx(float(expected), abs=1e-5)


def test_losses_are_what_the_shipped_pair_was_trained_on(tiny, batch):
    """Recorded before training was written anew; the pair's weights come from these functions."""
    own_canvas = Batch(batch.ids, batch.first, batch.last, end=torch.full((8,), 18))
    for rows, expected in ((batch, 10.607787), (own_canvas, 10.849478)):
        torch.manual_seed(1)
        assert float(Loss("llada", tiny, bf16=False)(rows)) == pytest.approx(expected, abs=1e-4)
    assert float(Loss("llama", tiny, bf16=False)(batch)) == pytest.approx(11.249959, abs=1e-4)
