"""Which places of decoders the report's figures, tables and sentences show, and what captions say of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.comparison import RATE
from bench.analysis.decoder_gains import fastest_of
from bench.analysis.decoder_places import Decoders, Line, Place, order_of_places
from bench.analysis.decoders import cache_label, order_of
from bench.analysis.runs import temperature_of
from bench.models import kinds
from bench.render import decoder_words, wording

MOST_PLACES = 3  # of which a sentence says each; of more there is a table


@dataclass(frozen=True)
class Fastest:
    """The decoder with most tokens a second of a place whose answers have no score.

    where: what tells the place from the others, "batch 8, prompts of 128".
    """

    place: Place
    line: Line
    where: str

    @property
    def decoder(self) -> str:
        """The decoder, and of how much of its calls its times were extrapolated."""
        return ", ".join(filter(None, [self.line.name, wording.part_words(self.line.run)]))

    @property
    def rival(self) -> str:
        """The name of the autoregressive model."""
        return kinds.label_of(self.place.autoregressive.run["model"])


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


def caches_of(places: Sequence[Place]) -> list[str]:
    """The caches of some places, each with its refresh, in an order that does not depend on which of them a place has:
    a cache then looks alike in all panels of a figure."""
    runs = [line.run for place in places for line in place.lines]
    return list(dict.fromkeys(cache_label(run) for run in sorted(runs, key=order_of)))


def fastest_unscored(decoders: Decoders) -> list[Fastest]:
    """Of each place whose answers have no score the fastest decoder beside the autoregressive model."""
    both = [(place, line) for place in decoders.places if (line := fastest_of(place))]
    settings = decoder_words.differing([place for place, _ in both])
    return [Fastest(place, line, where) for (place, line), where in zip(both, settings, strict=True)]


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
        texts = [f"{decoder_words.place_words(place)}, on {wording.machine_of(place.every)}" for place in places]
        if texts:
            result[name] = wording.capitalised("; ".join(texts))
    return result
