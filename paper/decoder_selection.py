"""Which places of decoders the report's figures show, and what their captions say of them."""

import pandas as pd

from bench.analysis.comparison import RATE
from bench.analysis.decoder_places import Decoders, Place, order_of_places
from bench.analysis.runs import temperature_of
from bench.render import decoders as render
from bench.render import wording


def main_places(decoders: Decoders) -> list[Place]:
    """Of each kind of quality the place with most decoders and vanilla among them, since a report has one of each;
    greedy answers before sampled ones."""
    scored = [place for place in decoders.places if place.metric and place.vanilla is not None]
    by_metric: dict[str, Place] = {}
    for place in sorted(scored, key=lambda place: (temperature_of(place.first), -len(place.lines))):
        by_metric.setdefault(place.metric, place)
    return sorted(by_metric.values(), key=order_of_places)


def rated_places(decoders: Decoders) -> list[Place]:
    """The places without quality, of the length, precision, engine and head that most of them have."""
    groups: dict[tuple, list[Place]] = {}
    for place in decoders.places:
        if not place.metric and any(pd.notna(line.run.get(RATE)) for line in place.lines):
            names = ("kind", "gen_length", "block_length", "dtype", "engine", "head", "stop")
            groups.setdefault(tuple(str(place.first[name]) for name in names), []).append(place)
    return max(groups.values(), key=len, default=[])


def prompt_of(place: Place) -> float:
    """Tokens of a place's prompts; 0 where they differ."""
    tokens = pd.to_numeric(place.first["prompt_tokens"])
    return 0.0 if pd.isna(tokens) else float(tokens)


def titles(decoders: Decoders) -> dict[str, str]:
    """What captions say of the places that figures show, by `title_NAME`; absent where there is no such figure."""
    result = {}
    for name, places in (
        ("title_decoders", main_places(decoders)),
        ("title_decoders_rate", rated_places(decoders)[:1]),
    ):
        texts = [f"{render.place_words(place)}, on {wording.machine_of(place.every)}" for place in places]
        if texts:
            result[name] = wording.capitalised("; ".join(texts))
    return result
