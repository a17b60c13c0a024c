"""The page's tables: those of the terminal and of the paper, which a visitor can sort."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from bench.analysis.aup import areas_of
from bench.analysis.comparison import Comparison
from bench.analysis.decoder_gains import interactions_of
from bench.analysis.decoders import name_of
from bench.analysis.edges import too_large
from bench.analysis.ends import Ends
from bench.analysis.findings import Findings
from bench.analysis.hypotheses import Score, measured_ones
from bench.analysis.runs import estimate_of, setting_of
from bench.analysis.scaling import Scaling
from bench.models import kinds
from bench.records.catalogue import columns, of
from bench.render import carried_over as render_carried_over
from bench.render import corners as render_corners
from bench.render import cost as render_cost
from bench.render import decoder_words, wording
from bench.render import decoders as render_decoders
from bench.render import ends as render_ends
from bench.render import hypotheses as render_hypotheses
from bench.render import scaling as render_scaling
from bench.render.wording import MISSING
from bench.spec.cell import STOPS
from paper.page.of_comparisons import caption
from paper.selection import Selection
from paper.tables.comparison import TASK_TOPICS, TIMED, TOPICS, engine_name, model_name
from paper.tables.scaling import ABOUT

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")  # at the beginning of a cell
TITLES = {
    "latency": "Latency of one answer", "throughput": "Throughput and work", "energy": "Energy", "memory": "Memory",
    "quality": "Quality of the texts", "accuracy": "Valid answers to tasks",
    "accuracy_by_task": "Valid answers by task",
}  # fmt: skip
IN_BRACKETS = "In brackets: the 95 % interval."
EVERY = ("latency/latency_ms", "latency/step_ms", "throughput/tokens_per_s", "memory/allocated_gib",
         "memory/resident_gib", "energy/j")  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table of texts. meanings: what a column's numbers are, by heading."""

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    meanings: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[list[tuple[str, float | str]]]:
        """Of each cell its text, and what it is sorted by: the number that it begins with, else the text."""
        return [[(text, sort_key(text)) for text in map(str, cells)] for cells in self.frame.to_numpy().tolist()]


def sort_key(text: str) -> float | str:
    """The number that a text begins with; where there is none, the text; of a dash nothing, which comes last."""
    if at := NUMBER.match(text):
        return float(at.group().replace(",", ""))
    return "" if text == MISSING else text.lower()


def tables(selection: Selection) -> list[Table]:
    """Every table for which there is data."""
    findings = selection.findings
    result = comparison_tables(selection)
    result += [table for scaling in findings.scalings for table in scaling_tables(scaling)]
    result += [ends_table(findings.ends)] if findings.ends.places else []
    result += decoder_tables(findings)
    result += cost_tables(findings)
    return [table for table in result if not table.frame.empty]


def comparison_tables(selection: Selection) -> list[Table]:
    """A table a topic of the largest comparison of answers, on all its engines, and of that of tasks."""
    result = []
    answers, tasks = selection.answers, selection.tasks
    for name, (_, metrics) in TOPICS.items():
        beside = [comparison.every for comparison in selection.on_engines] if name != "quality" else []
        human = answers.human if name == "quality" else answers.human.head(0)
        rows = pd.concat([answers.rows, human, answers.left_out, *beside])
        result += topic_table(name, answers, rows, list(metrics))
    for name, (_, metrics) in TASK_TOPICS.items():
        result += topic_table(name, tasks, pd.concat([tasks.rows, tasks.left_out]), list(metrics))
    return result


def topic_table(name: str, comparison: Comparison, rows: pd.DataFrame, metrics: Sequence[str]) -> list[Table]:
    """A topic's table; none where no run has one of its metrics."""
    if rows.empty or not any(metric in rows and rows[metric].notna().any() for metric in metrics):
        return []
    names = engine_name if rows["engine"].nunique() > 1 else model_name
    frame = pd.DataFrame({"model": [names(run) for _, run in rows.iterrows()]})
    frame = with_intervals(frame, rows, metrics)
    if any(metric.startswith(TIMED) for metric in metrics):
        frame = wording.with_notes(frame, rows)
    words = " ".join([caption(comparison), IN_BRACKETS, *wording.scoring_sentences(rows)])
    return [Table(name, TITLES[name], words, frame, meanings(metrics))]


def with_intervals(frame: pd.DataFrame, runs: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """A table of some runs with a column for each metric that one of them has, intervals in brackets."""
    result = {}
    for metric, (heading, digits) in columns(metrics).items():
        values = [estimate_of(run, metric) for _, run in runs.iterrows()]
        if any(value is not None for value in values):
            result[heading] = [MISSING if value is None else value.text(digits) for value in values]
    return frame.assign(**result)


def meanings(metrics: Sequence[str]) -> dict[str, str]:
    """What each metric is, by its heading."""
    return {heading: of(metric).meaning for metric, (heading, _) in columns(metrics).items()}


def scaling_tables(scaling: Scaling) -> list[Table]:
    """A group's table, by its kind; of memory one a line."""
    title = f"{ABOUT[scaling.kind]}"
    place = f"{wording.capitalised(wording.scaling_title(scaling))}, on {wording.machine_of(scaling.every)}."
    label = wording.weights_label(scaling.every)
    words = " ".join(
        filter(None, [place, f"({label.capitalize()}.)" if label else "", wording.left_out_sentence(scaling)])
    )
    name = f"scaling_{scaling.kind}"
    if scaling.kind == "frontier":
        return [Table(name, title, words, render_scaling.edge_table(scaling))]
    if scaling.kind == "memory":
        maps = ((wording.line_name(line), render_scaling.map_table(scaling, line)) for line in lines_of(scaling))
        return [Table(name, f"{title}: {line}", words, peaks.reset_index(names="batch")) for line, peaks in maps]
    if scaling.kind == "corners":
        return [Table(name, title, words, render_corners.table(scaling))]
    return [Table(name, title, words, render_scaling.table(scaling))]


def lines_of(scaling: Scaling) -> list:
    """The lines of a group, each of which has a map of its own."""
    return render_scaling.lines_in_order(scaling)


def ends_table(ends: Ends) -> Table:
    """LLaDA's time over LLaMA's for as much kept text, a line a place and regime."""
    rows = [
        {
            "place": render_ends.place_words(place),
            "answers end": STOPS[regime.stop],
            "LLaDA's time over LLaMA's": wording.interval(regime.ratio, 2),
            "kept": MISSING if regime.stop == "length" else render_ends.kept_words(regime),
        }
        for place in ends.places
        for regime in place.regimes
    ]
    words = f"{render_ends.TITLE}. On {wording.machine_of(ends.every)}."
    return Table("ends", "How answers end", words, pd.DataFrame(rows))


def decoder_tables(findings: Findings) -> list[Table]:
    """The decoders of every place, how sampler and cache go together there, and the areas under the curves."""
    result = []
    for place in findings.decoders.places:
        words = f"{wording.capitalised(decoder_words.place_words(place))}, on {wording.machine_of(place.every)}."
        result.append(Table("decoders", f"Decoders: {short_place(place.first)}", words, render_decoders.table(place)))
        for title, frame in (
            (render_decoders.interaction_title(place), render_decoders.interaction_table(interactions_of(place))),
            (render_decoders.aup_title(place), render_decoders.aup_table(areas_of(place))),
        ):
            if not frame.empty:
                name, _, about = title.partition(": ")
                short = f"{wording.capitalised(name)}: {short_place(place.first)}"
                result.append(Table("decoders_more", short, f"{wording.capitalised(about)}. {words}", frame))
    return result


def short_place(run: pd.Series) -> str:
    """ "tasks, 32 tokens, batch 1": what tells a place from the others in a title."""
    prompt = pd.to_numeric(run.get("prompt_tokens"))
    parts = [f"{run['gen_length']:.0f} tokens", "" if pd.isna(prompt) else f"prompts of {prompt:.0f}"]
    return ", ".join(filter(None, [*parts, f"batch {run['batch_size']:.0f}", setting_of(run, "engine", "eager")]))


def cost_tables(findings: Findings) -> list[Table]:
    """Measured beside predicted, and what became of the hypotheses."""
    rows = findings.costs
    result = []
    if not rows.empty and rows["latency_ratio"].notna().any():
        words = (
            f"Floors at this device's ceilings. Ratio: measured over predicted. {' '.join(render_cost.sentences(rows))}"
        )
        result.append(Table("cost", "The cost model beside what was measured", words, render_cost.table(rows)))
    for scores, about, title in (
        (measured_ones(findings.scores), findings.tolerances, "Hypotheses"),
        (measured_ones(findings.decoder_scores), findings.timed_before, "Hypotheses on decoders"),
    ):
        if scores:
            words = " ".join(render_hypotheses.summary(scores, about, title))
            result.append(Table("hypotheses", title, words, hypotheses_frame(scores)))
    if carried := findings.carried_over:
        frame = hypotheses_frame(carried.scores).drop(columns="hypothesis is")
        frame = frame.rename(columns={"predicted": "cost model"}).replace("inf", render_carried_over.BEYOND)
        words = render_carried_over.sentence(carried)
        result.append(Table("carried_over", "Claims on decoders carried over to this card", words, frame))
    return result


def hypotheses_frame(scores: Sequence[Score]) -> pd.DataFrame:
    """A line a claim."""
    return pd.DataFrame(
        {
            "hypothesis": score.name,
            "claim": render_hypotheses.claim_text(result.claim, result.engine),
            "predicted": f"above {result.claim.bounds[0]:g}"
            if result.claim.value is None
            else f"{result.claim.value:.3g}",
            "within": MISSING if result.claim.value is None else f"x{result.claim.factor:g}",
            "measured": MISSING if result.measured is None else render_hypotheses.short(result.measured),
            "extrapolated": "yes" if result.is_extrapolated else "",
            "claim is": result.state,
            "hypothesis is": score.verdict,
        }
        for score in scores
        for result in score.results
    )


def every_cell(runs: pd.DataFrame) -> Table:
    """Every cell that counts, with its main numbers."""
    good = runs[(runs["reason"] == "") & runs["model"].isin(list(kinds.KINDS))]
    frame = wording.with_notes(with_intervals(cells_frame(good), good, EVERY), good)
    return Table("cells", "Every cell", IN_BRACKETS, frame, meanings(EVERY))


def failed_cells(runs: pd.DataFrame) -> Table:
    """The cells without numbers, and why; batches that a search tried in vain stand in the table of its edges."""
    failed = runs[(runs["reason"] != "") & ~too_large(runs)]
    frame = cells_frame(failed).assign(why=[str(reason) for reason in failed["reason"]])
    words = "These cells failed or cannot be believed. They stand in no comparison, and no number of theirs is shown."
    return Table("failed", "Failed cells", words, frame)


def cells_frame(runs: pd.DataFrame) -> pd.DataFrame:
    """What each cell is: a column for each setting in which the cells of a study can differ."""
    every = [run for _, run in runs.iterrows()]
    number = lambda run, name: MISSING if pd.isna(run.get(name)) else f"{float(run[name]):.0f}"  # noqa: E731
    text = lambda run, name: setting_of(run, name, MISSING)  # noqa: E731
    frame = pd.DataFrame(
        {
            "kind": [text(run, "kind") for run in every],
            "model": [kinds.label_of(run["model"]) for run in every],
            "steps": [number(run, "steps") for run in every],
            "batch": [number(run, "batch_size") for run in every],
            "tokens": [number(run, "gen_length") for run in every],
            "prompt": [number(run, "prompt_tokens") for run in every],
            "engine": [text(run, "engine") for run in every],
            "head": [text(run, "head") for run in every],
            "decoder": [name_of(run) or MISSING for run in every],
            "precision": [text(run, "dtype") for run in every],
        },
        dtype=object,
    )
    return frame[[name for name in frame if name in ("kind", "model") or set(frame[name]) - {MISSING}]]
