"""What `make agreement` prints: tables of the agreements, and whether a refresh at every step agrees as it must."""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from bench.checks.finding import Finding
from bench.diffusion import choices
from bench.models import kinds
from bench.records.agreement import AGES, after
from bench.records.settings import Agreement
from bench.records.types import Scores

MOST_NATS = 1e-5  # of the mean divergence that rounding in float32 may leave
COLUMNS = {  # metric: (heading, digits)
    "token_share": ("tokens equal", 3),
    "first_divergence": ("first other", 1),
    "argmax_share": ("argmax equal", 3),
    "kl_mean_nats": ("KL mean", 4),
    "kl_p95_nats": ("KL p95", 4),
}
HEAD = (
    "tokens equal, first other: of answers that each wrote by itself, up to the first end token, the share that equals"
    " the model's own, and how many stand before the first that differs\nargmax equal, KL mean, KL p95 (nats): at the"
    " block's masked positions on the canvases of the model's own answers, a step a token"
)


def mean_of(record: Scores, name: str) -> float:
    """A metric's mean over the prompts that have it; not a number where none has."""
    values = [value for value in record.values.get(name, []) if value is not None]
    return float(np.mean(values)) if values else float("nan")


def shown(value: float, digits: int) -> str:
    """A number with so many decimal places, a dash where there is none."""
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def name_of(about: Agreement) -> str:
    """A cache with its refresh, or a model with its precision."""
    return choices.label(vars(about)) or f"{kinds.label_of(about.model)} {about.dtype}"


def lines(found: list[tuple[Agreement, Scores]]) -> list[str]:
    """Everything that a terminal shows."""
    result = [HEAD]
    for source in dict.fromkeys(about.source for about, _ in found):
        of_source = [(about, record) for about, record in found if about.source == source]
        of_caches = [entry for entry in of_source if entry[0].cache]
        about = of_caches[0][0]
        where = f"{about.prompts} prompts, {about.gen_length} tokens in blocks of {about.block_length}"
        title = (
            f"\n{about.pair}, {source}, {where}, {about.dtype}, on {about.ran_on}: each cache against {about.against}"
        )
        result += [title, table(of_caches)]
        result += ["\nthe same KL mean by the forwards since the last renewal", by_age(of_caches)]
        others = [entry for entry in of_source if not entry[0].cache]
        if others:
            result += [f"\n{source}: precisions against {others[0][0].against}", table(others)]
    return result


def table(found: list[tuple[Agreement, Scores]]) -> str:
    """A line for each agreement."""
    rows = {
        name_of(about): [shown(mean_of(record, name), digits) for name, (_, digits) in COLUMNS.items()]
        for about, record in found
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=[head for head, _ in COLUMNS.values()]).to_string()


def by_age(found: list[tuple[Agreement, Scores]]) -> str:
    """A line for each refresh of a cache, as far as there are several ages."""
    ends = [f"{low}" if high == low + 1 else f"{low}-{high - 1}" for low, high in itertools.pairwise(AGES)]
    rows = {name_of(about): [mean_of(record, after(age)) for age in AGES] for about, record in found}
    shown_rows = {
        name: [shown(value, 4) for value in values]
        for name, values in rows.items()
        if np.count_nonzero(~np.isnan(values)) > 1
    }
    return pd.DataFrame.from_dict(shown_rows, orient="index", columns=[*ends, f"{AGES[-1]}-"]).to_string()


def is_exact(about: Agreement) -> bool:
    """Whether a cache is refreshed at every step."""
    return about.refresh == 1 or about.response_every == about.prompt_every == 1


def proof(found: Iterable[tuple[Agreement, Scores]]) -> Finding:
    """Whether every cache that is refreshed at every step agrees with the model itself."""
    exact = [record for about, record in found if about.cache and is_exact(about)]
    least = min(min(record.values["token_share"]) for record in exact)
    most = max(max(record.values["kl_mean_nats"]) for record in exact)
    text = f"{len(exact)} caches refreshed at every step: {least:.3f} of the tokens equal, KL {most:.1e} nats at most"
    target = f"all tokens, {MOST_NATS:g} nats"
    return Finding("proof", text, target, bool(exact) and least == 1 and most <= MOST_NATS)
