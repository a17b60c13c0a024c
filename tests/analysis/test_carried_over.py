"""Claims on decoders at the ceilings of the study's own card, on made-up studies whose times the cost model gives."""

import math

import pytest

from bench.analysis.carried_over import carried_over
from bench.cost.decoder_predictions import Decoder, Decoding
from bench.cost.one_forward import Ceilings
from bench.cost.predictions import Models, Place
from bench.render import carried_over as render
from bench.spec.pair import read_pair
from paper.tables import carried_over as tables
from tests.analysis.test_decoder_hypotheses import ABOUT, judged, rows, run

PAIR = read_pair("8b-shapes")
CARD = "NVIDIA H200"
HERE = Ceilings(650e12, 4.4e12)
TRACKED = {"device": CARD, "ceiling.flops_per_s": HERE.flops_per_s, "ceiling.bytes_per_s": HERE.bytes_per_s,
           "ceiling.host_s": 0.0}  # fmt: skip


def of_card(slower: float = 1.0) -> list[dict]:
    """The runs that the cost model gives at this card's ceilings; LLaDA's slower by a factor."""
    decoding = Decoding(Models.of(PAIR), HERE, ABOUT.block_length)
    result = []
    for row in rows():
        place = Place(row["batch_size"], 256, int(row["prompt_tokens"]))
        if row["model"] == "llama":
            seconds = decoding.reference_s(place)
        else:
            decoder = Decoder(row["cache"], row["refresh"], int(row["tokens_per_step"]))
            seconds = slower * decoding.seconds(place, decoder)
        result.append(row | TRACKED | {"latency/latency_ms": 1e3 * seconds})
    return result


def test_the_numbers_are_the_cost_models_at_the_ceilings_of_the_studys_card():
    carried = carried_over(PAIR, judged(of_card()), ABOUT)
    assert (carried.card, carried.stated_for) == (CARD, "H100")
    assert {score.name for score in carried.scores} == {"D1", "D2", "D3", "D4", "D5"}
    assert carried.ratios == pytest.approx([1.0] * len(carried.ratios), rel=0.01)
    assert all(result.state == "met" for result in carried.results)
    [beyond] = [result for result in carried.results if result.claim.value == math.inf]  # D1's parity
    assert render.number(beyond.measured) == render.BEYOND
    stated = {claim.number: claim.value for about in ABOUT.hypotheses.values() for claim in about.claims}
    speed = next(result.claim for result in carried.results if result.claim.quantity == "throughput_ratio")
    assert speed.value != pytest.approx(stated[speed.number], rel=0.1)


def test_a_slower_decoder_lies_outside_and_is_said_to():
    carried = carried_over(PAIR, judged(of_card(slower=1.5)), ABOUT)
    outside = [result for result in carried.results if result.state == "not met"]
    assert {result.claim.quantity for result in outside} == {"throughput_ratio"}
    first, *claims = render.lines(carried)
    within = len(carried.results) - len(outside)
    counted = (
        f"beforehand: of {len(carried.results)} numbers (measured: captured engine, lean head) {within} lie within"
    )
    assert f"({CARD}), so that they are no predictions made {counted}" in first
    assert sum(line.endswith(": OUTSIDE it") for line in claims) == len(outside)
    assert len(tables.table(carried)) == len(claims)
    assert tables.table(carried)["within"].tolist().count("no") == len(outside)


def test_a_study_on_the_card_of_the_claims_or_without_ceilings_has_none(tmp_path):
    assert carried_over(PAIR, judged(rows()), ABOUT) is None
    tracked = [row | TRACKED | {"device": "NVIDIA H100 80GB HBM3"} for row in rows()]
    assert carried_over(PAIR, judged(tracked), ABOUT) is None
    bare = [{name: value for name, value in row.items() if "ceiling" not in name} for row in of_card()]
    assert carried_over(PAIR, judged(bare), ABOUT) is None
    mixed = [row | ({"ceiling.flops_per_s": 1e12} if number == 0 else {}) for number, row in enumerate(of_card())]
    mixed[1] |= {"ceiling.flops_per_s": 2 * HERE.flops_per_s}
    assert carried_over(PAIR, judged(mixed), ABOUT).ratios == pytest.approx(
        carried_over(PAIR, judged(of_card()), ABOUT).ratios
    )  # the median of three ceilings
    two_kinds = [*of_card(), run("llama", 1, 64, 1.0) | TRACKED | {"device": "another card"}]
    assert carried_over(PAIR, judged(two_kinds), ABOUT) is None
    assert carried_over(PAIR.model_copy(update={"name": "pocket"}), judged(of_card()), ABOUT) is None
    assert render.lines(None) == []
    tables.write(None, tmp_path)
    assert (tmp_path / "carried_over.tex").read_text() == ""
