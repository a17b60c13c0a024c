"""Predictions of the cost model: floors by hand, turning points that are ones, cards with their sources."""

from dataclasses import replace

import pytest

from bench.common.errors import BadInput
from bench.cost import cards as cost_cards
from bench.cost import peak_memory, predictions
from bench.cost.floors import Ceilings
from bench.cost.predictions import Models, Place
from bench.spec import pair

H100 = Ceilings(770e12, 2.99e12)


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.of(pair.read_pair("8b-shapes"))


def test_a_decode_step_at_batch_one_reads_the_weights(models):
    place = Place(1, 128, 128)
    weights = 2 * (8_030_261_248 - 128_256 * 4096 - 65 * 4096)  # without embedding and norms
    assert models.seconds("llama", place, H100) == pytest.approx(128 * weights / 2.99e12, rel=0.01)


def test_a_denoising_step_of_many_rows_is_arithmetic(models):
    rows, matrices = 32 * 2176, 32 * (4 * 4096**2 + 3 * 4096 * 12288)
    attention = 4 * 32 * 4096 * 32 * 2176**2
    expected = (2 * rows * matrices + attention) / 770e12
    assert models.seconds("llada", Place(32, 2048, 128), H100) == pytest.approx(expected, rel=0.04)  # last layer: less


def test_time_turns_where_both_take_as_long(models):
    place = Place(1, 128, 128)
    batch = models.turning_batch(place, H100, 4)
    assert models.latency_ratio(replace(place, batch=batch), H100, 4) == pytest.approx(1, rel=1e-3)
    assert models.latency_ratio(place, H100, 4) < 1 < models.latency_ratio(replace(place, batch=32), H100, 4)
    assert models.turning_batch(Place(1, 2048, 128), H100, 1) == 1  # always the slower one
    free = Ceilings(1e30, 2.99e12)  # arithmetic costs nothing: bytes alone, of which LLaDA needs fewer
    assert models.turning_batch(place, free, 128) == float("inf")


@pytest.mark.parametrize(("model", "head"), [("llama", "lean"), ("llada", "lean"), ("llada", "official")])
def test_the_largest_batch_fits_and_one_more_does_not(models, model, head):
    place, limit = Place(1, 1024, 128, head, "eager"), 78 * 2**30
    most = models.largest_batch(model, place, limit)
    peaks = [
        peak_memory.peak(models.workload(model, replace(place, batch=batch)), models.shapes[model], 128).total
        for batch in (most, most + 1)
    ]
    assert peaks[0] <= limit < peaks[1]
    assert models.largest_batch(model, place, 1e9) == 0


def test_the_host_adds_to_each_forward_of_its_model(models):
    place = Place(1, 128, 128)
    slowed = Models(models.shapes, models.dtype, "cpu", {"llada": 1.0})
    assert slowed.seconds("llada", place, H100) == pytest.approx(1 + models.seconds("llada", place, H100))
    assert slowed.seconds("llama", place, H100) == models.seconds("llama", place, H100)


def test_a_surface_has_a_number_for_each_place(models):
    surface = models.surface(H100, [1, 8], [128, 512], 128)
    assert list(surface.index) == [8, 1]
    assert surface.loc[1, 512] == models.break_even_steps(Place(1, 512, 128), H100)


def test_every_card_has_a_source_and_a_row(models):
    cards = cost_cards.devices()
    assert {"A100-80", "RTX 4090", "H100", "H200"} <= set(cards)
    assert all(card.source for card in cards.values())
    table = predictions.table(models, cards, 128)
    assert len(table) == len(cards) * len(predictions.CELLS)
    same = table[(table["batch"] == 1) & (table["tokens"] == 128)].set_index("card")
    assert (
        same.loc["H200", "LLaMA token ms"] < same.loc["H100", "LLaMA token ms"] < same.loc["A100-80", "LLaMA token ms"]
    )


def test_a_card_with_a_wrong_key_is_refused_by_name(tmp_path, monkeypatch):
    file = tmp_path / "devices.yaml"
    file.write_text("cards: {X: {flops: 1, bytes_per_s: 1, memory_bytes: 1, source: s}}")
    monkeypatch.setattr(cost_cards, "DEVICES", file)
    with pytest.raises(BadInput, match=r"devices\.yaml: cards\.X"):
        cost_cards.devices()
