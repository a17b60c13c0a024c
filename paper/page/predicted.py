"""What the cost model says at places that nobody measured, and how far it was off where somebody did."""

from dataclasses import dataclass

from bench.analysis.findings import Findings
from bench.analysis.surface import BATCHES, HEAD, LENGTHS, Basis
from bench.cost.predictions import Place
from bench.models import kinds
from bench.models.engines import label_of
from bench.render import wording
from bench.spec.cell import STOPS
from bench.spec.pair import PairFile
from paper.page.explorer import Measured, tokens_words

PROMPTS = [128, 512, 2048]  # tokens of a prompt, besides the measured ones
STEPS = [8, 16, 32, 64, 128, 256, 512, 1024]  # which a visitor can ask for, besides the measured ones
FEWEST = 3  # measured places from which the cost model's error can be told


@dataclass(frozen=True)
class Band:
    """By which factors LLaDA's measured time over LLaMA's differed from the predicted one, and where that was seen."""

    least: float
    most: float
    words: str


def labels(pair: PairFile) -> dict[str, str]:
    """The names of the two models of a study's pair, by their roles."""
    return {kinds.role_of(kind): kinds.label_of(kind) for kind in pair.models}


def setting_of(findings: Findings, basis: Basis) -> str:
    """The setting that the predictions are about, in the explorer's words: where no answer ends early, greedy."""
    engine = label_of(basis.engine, "cpu" if findings.on_cpu else "cuda")
    both = wording.engine_and_head(engine, [HEAD])
    return ", ".join([both, findings.pair.dtype, STOPS["length"], "greedy"])


def milliseconds(basis: Basis, batch: int, prompt_tokens: int, length: int) -> tuple[float, float]:
    """(an answer of the model without steps, one step of the other) at a place."""
    place = Place(batch, length, prompt_tokens, HEAD, basis.engine)
    models = basis.models
    both = (models.autoregressive, models.diffusion)
    whole, step = (1e3 * models.seconds(model, place, basis.ceilings) for model in both)
    return whole, step


def tokens_of(entry: Measured) -> int | None:
    """Tokens of a measured place's prompts; None where they differ."""
    number = entry.prompt.removesuffix(" tokens")
    return int(number) if number.isdecimal() else None


def band_of(findings: Findings, basis: Basis, entries: list[Measured]) -> Band | None:
    """The cost model's error where this study measured the setting of the predictions; where it did so too seldom, that
    of its runs with the same engine, each model's for itself. None where nothing is known.

    entries: the measured places of that setting.
    """
    errors = []
    for entry in entries:
        if entry.steps is not None and (prompt_tokens := tokens_of(entry)) is not None:
            whole, step = milliseconds(basis, entry.batch, prompt_tokens, entry.length)
            errors.append(entry.ratio[0] / (entry.steps * step / whole))
    if len(errors) >= FEWEST:
        where = f"the {len(errors)} places that this study measured with these settings"
        return Band(float(min(errors)), float(max(errors)), f"as far as the cost model was off at {where}")
    return band_of_runs(findings, basis)


def band_of_runs(findings: Findings, basis: Basis) -> Band | None:
    """The error of a ratio from the errors of both models' runs on an engine: as far as they can lie apart."""
    if findings.costs.empty:
        return None
    runs = findings.costs[(findings.costs["engine"] == basis.engine) & findings.costs["latency_ratio"].notna()]
    above = runs.loc[runs["model"] == basis.models.diffusion, "latency_ratio"]
    below = runs.loc[runs["model"] == basis.models.autoregressive, "latency_ratio"]
    if len(above) < FEWEST or below.empty:
        return None
    where = f"the {len(above) + len(below)} runs of this study on that engine, each model's for itself"
    least, most = above.min() / below.max(), above.max() / below.min()
    return Band(float(least), float(most), f"as far as the cost model was off at {where}")


def as_json(findings: Findings, basis: Basis | None, entries: list[Measured]) -> dict:
    """The predictions for the page: milliseconds by batch, prompt and length, with the band; without a basis none."""
    if basis is None:
        return {
            "setting": entries[0].setting if entries else "",
            "words": "",
            "band": None,
            "steps": [],
            "places": [],
        }
    setting = setting_of(findings, basis)
    own = [entry for entry in entries if entry.setting == setting]
    band = band_of(findings, basis, own)
    prompts = sorted({*PROMPTS, basis.prompt_tokens, *filter(None, map(tokens_of, own))})
    places = [
        (batch, prompt_tokens, length)
        for batch in sorted({*BATCHES, *(entry.batch for entry in own)})
        for prompt_tokens in prompts
        for length in sorted({*LENGTHS, *(entry.length for entry in own)})
    ]
    return {
        "setting": setting,
        "words": f"{basis.device}, {basis.words}",
        "band": None if band is None else {"least": band.least, "most": band.most, "words": band.words},
        "steps": STEPS,
        "places": [
            {
                "batch": batch,
                "prompt": tokens_words(prompt_tokens),
                "length": length,
                "milliseconds": milliseconds(basis, batch, prompt_tokens, length),
            }
            for batch, prompt_tokens, length in places
        ],
    }
