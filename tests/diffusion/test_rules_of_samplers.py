"""Each sampler's rule against its definition, written out number by number; faults of published ports among them."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.diffusion.extent import Extent
from bench.diffusion.samplers import SAMPLERS, Seen
from bench.diffusion.sampling import Sampling
from bench.diffusion.schedules import imposed_schedule
from bench.diffusion.statistics import Calm, Entropy

OPTIONS = Sampling(8, 8, 8, 500, threshold=0.6, factor=1.0, gamma=1.0, kl_threshold=0.1)
ONE = torch.tensor(1)


def choose(sampler: str, confidence: list, masked=None, statistic=None, quota=ONE, **options) -> list[list[int]]:
    """The positions of each row that a step commits."""
    confidence = torch.tensor(confidence)
    masked = torch.ones_like(confidence, dtype=torch.bool) if masked is None else torch.tensor(masked)
    statistic = None if statistic is None else torch.tensor(statistic)
    chosen = SAMPLERS[sampler].choose(Seen(masked, confidence, statistic), quota, replace(OPTIONS, **options))
    return [row.nonzero().flatten().tolist() for row in chosen]


def by_definition(sampler: str, confidence: list[float], entropy: list[float], masked: list[bool]) -> list[int]:
    """What one row commits, by the definitions of the papers."""
    there = [i for i, is_masked in enumerate(masked) if is_masked]
    if not there:
        return []
    surest = sorted(there, key=lambda i: -confidence[i])
    if sampler == "threshold":
        return sorted([i for i in there if confidence[i] >= OPTIONS.threshold] or surest[:1])
    if sampler == "factor":
        fitting = [n for n in range(1, len(there) + 1) if (n + 1) * (1 - confidence[surest[n - 1]]) <= OPTIONS.factor]
        return sorted(surest[: max(fitting, default=1)])
    lowest = sorted(there, key=lambda i: entropy[i])
    sums = [math.fsum(entropy[i] for i in lowest[:n]) - entropy[lowest[n - 1]] for n in range(1, len(there) + 1)]
    return sorted(lowest[: max(n for n, bound in enumerate(sums, 1) if bound <= OPTIONS.gamma)])


numbers = st.lists(st.floats(0.01, 0.99), min_size=8, max_size=8, unique=True)
rows = st.lists(st.tuples(numbers, numbers, st.lists(st.booleans(), min_size=8, max_size=8)), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(rows, st.sampled_from(["threshold", "factor", "entropy"]))
def test_each_row_of_a_batch_follows_the_definition_by_itself(of_rows, sampler):
    """One port of the entropy bound takes its running maximum over the batch."""
    confidence, entropy, masked = ([row[part] for row in of_rows] for part in range(3))
    seen = Seen(torch.tensor(masked), *(torch.tensor(x, dtype=torch.float64) for x in (confidence, entropy)))
    chosen = SAMPLERS[sampler].choose(seen, ONE, OPTIONS)
    # Compared in float32, so a bound that is met to its last digits may fall either way.
    bounds = [n * (1 - c) for row in confidence for c in row for n in range(2, 10)]
    assume(min(abs(bound - OPTIONS.factor) for bound in bounds) > 1e-5)
    expected = [by_definition(sampler, *row) for row in of_rows]
    assert [row.nonzero().flatten().tolist() for row in chosen] == expected


def test_the_factor_rule_leaves_the_last_mask_when_only_that_fails():
    """One port commits it all the same."""
    assert choose("factor", [[0.9, 0.9, 0.5]]) == [[0, 1]]


def test_the_factor_rule_may_commit_all_that_are_left():
    """Another port never does."""
    assert choose("factor", [[0.9, 0.9, 0.9]]) == [[0, 1, 2]]


def test_a_threshold_is_met_by_what_equals_it_in_any_precision():
    confidence = torch.tensor([[0.6, 0.59375, 0.5]], dtype=torch.bfloat16)  # 0.6 is 0.6016 in bfloat16
    chosen = SAMPLERS["threshold"].choose(Seen(torch.ones(1, 3, dtype=torch.bool), confidence), ONE, OPTIONS)
    assert chosen.tolist() == [[True, False, False]]


@pytest.mark.parametrize("sampler", ["threshold", "factor", "klass"])
def test_at_least_the_surest_is_committed_and_nothing_in_a_row_that_is_done(sampler):
    masked = [[True, True, False], [False, False, False]]
    assert choose(sampler, [[0.1, 0.2, 0.9]] * 2, masked, [[0, 0, 5]] * 2) == [[1], []]


def test_calm_and_sure_tokens_are_committed_without_the_surest_that_is_not_calm():
    assert choose("klass", [[0.95, 0.7, 0.65, 0.3]], statistic=[[0, 2, 3, 9]]) == [[1, 2]]


@pytest.mark.parametrize("sampler", ["threshold", "factor", "entropy", "klass"])
def test_the_last_step_that_is_allowed_commits_all_that_is_left(sampler):
    masked = [[True, True, False, True]]
    chosen = choose(sampler, [[0.1, 0.9, 0.9, 0.2]], masked, [[9.0, 8.0, 7.0, 5.0]], quota=torch.tensor(4))
    assert chosen == [[0, 1, 3]]


def test_imposed_steps_commit_what_they_are_told():
    assert imposed_schedule(8, 3, 3) == [3, 3, 2]
    assert choose("imposed", [[0.1, 0.3, 0.2]], quota=torch.tensor(2)) == [[1, 2]]


def extent_of(rows: int, **options) -> Extent:
    return Extent(rows, 3, replace(OPTIONS, **options), torch.tensor(3))


def test_entropy_is_in_nats_and_takes_tokens_that_cannot_come():
    logits = torch.tensor([[0.0, 0.0, -torch.inf, -torch.inf], [0.0, -torch.inf, -torch.inf, -torch.inf]])
    assert Entropy(extent_of(1)).of(logits, slice(None)).tolist() == pytest.approx([math.log(2), 0.0])


def seen_by(calm: Calm, logits: torch.Tensor, positions: list[int], going_on: list[bool]) -> list[list[int]]:
    """A forward's logits [rows, positions, vocabulary], in two parts as the lean head has them."""
    calm.begin(torch.tensor(positions), torch.tensor(going_on))
    flat = logits.flatten(0, 1)
    values = torch.cat([calm.of(flat[:2], slice(0, 2)), calm.of(flat[2:], slice(2, len(flat)))])
    return calm.end(values.view(logits.shape[:2])).tolist()


def test_calm_counts_forwards_on_end_whose_distribution_hardly_moved():
    calm = Calm(extent_of(2))
    still = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 3.0]])  # of three positions
    moved = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 3.0]])
    places = [3, 4, 6]
    assert seen_by(calm, torch.stack([still, still]), places, [True, True]) == [[0, 0, 0]] * 2  # nothing before
    assert seen_by(calm, torch.stack([still, moved]), places, [True, True]) == [[1, 1, 1], [0, 1, 1]]
    assert seen_by(calm, torch.stack([still, moved]), places, [True, True]) == [[2, 2, 2], [1, 2, 2]]


def test_a_position_that_was_not_pushed_has_nothing_before():
    calm = Calm(extent_of(1))
    logits = torch.zeros(1, 3, 4)
    seen_by(calm, logits, [3, 4, 5], [True])
    seen_by(calm, logits, [3, 4, 6], [True])
    assert seen_by(calm, logits, [4, 5, 6], [True]) == [[2, 0, 1]]


def test_a_row_that_waits_for_others_remembers_nothing_of_it():
    """Else its next block would depend on the rows beside it."""
    calm = Calm(extent_of(2))
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    other = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    seen_by(calm, logits, [3, 4, 5], [True, True])
    seen_by(calm, logits, [3, 4, 5], [True, True])
    seen_by(calm, other, [3, 4, 5], [True, False])
    assert seen_by(calm, logits, [3, 4, 5], [True, True])[1] == [2, 2, 2]
    assert int(calm.calm_for[0].min()) == 0


def test_new_prompts_start_without_a_past():
    calm = Calm(extent_of(1))
    logits = torch.zeros(1, 3, 4)
    seen_by(calm, logits, [3, 4, 5], [True])
    calm.start()
    assert seen_by(calm, logits, [3, 4, 5], [True]) == [[0, 0, 0]]
