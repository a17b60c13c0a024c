"""What a terminal shows of a study: everything, or what belongs to some of its cells."""

from collections.abc import Set as AbstractSet

import pandas as pd

from bench.analysis.comparison import Comparison, by_block_and_temperature
from bench.analysis.decoder_places import Place
from bench.analysis.ends import Ends
from bench.analysis.findings import Findings
from bench.analysis.scaling import Scaling
from bench.render import borrowed as render_borrowed
from bench.render import carried_over as render_carried_over
from bench.render import comparison as render_comparison
from bench.render import consistency as render_consistency
from bench.render import cost as render_cost
from bench.render import decoder_words, wording
from bench.render import decoders as render_decoders
from bench.render import endpoints as render_endpoints
from bench.render import ends as render_ends
from bench.render import extrapolation as render_extrapolation
from bench.render import hundred_steps as render_hundred_steps
from bench.render import hypotheses as render_hypotheses
from bench.render import likelihood as render_likelihood
from bench.render import scaling as render_scaling
from bench.render import task_accuracy as render_task_accuracy


def print_findings(findings: Findings, cell_ids: AbstractSet[str] | None = None) -> None:
    """Tables, what failed and the verdicts of a study, on standard output.

    cell_ids: print the rows of these cells alone, and the verdicts that they belong to; None prints everything.
    """
    if cell_ids is None:
        print_accuracies(findings, is_primary=True, is_whole=True)
    for comparison in findings.comparisons:
        if has_cells(comparison, cell_ids):
            print_comparison(findings.study, comparison, cell_ids)
    for scaling in findings.scalings:
        if has_cells(scaling, cell_ids):
            print(f"\nstudy {findings.study}, {wording.scaling_title(scaling)}, on {wording.machine_of(scaling.every)}")
            print("\n".join(render_scaling.lines(scaling)))
    if has_cells(findings.ends, cell_ids):
        print("\n".join(ends_lines(findings)))
    print_decoders(findings, cell_ids)
    print_doubts(findings, cell_ids)
    if cell_ids is None:
        print_accuracies(findings, is_primary=False, is_whole=True)
        for line in (
            *render_likelihood.lines(findings.likelihoods),
            *render_cost.lines(findings.costs),
            *render_hypotheses.lines(findings.scores, findings.tolerances),
            *render_hypotheses.lines(findings.decoder_scores, findings.timed_before, "Hypotheses on decoders"),
            *render_carried_over.lines(findings.carried_over),
        ):
            print(line)
    if any(has_cells(comparison, cell_ids) for comparison in findings.comparisons):
        print_answers(findings)


def print_accuracies(findings: Findings, is_primary: bool, is_whole: bool = False) -> None:
    """The tasks of lm-evaluation-harness: that which is the pair's primary metric, or the others. is_whole: every
    setting and template, and not only the first setting with what its verdict is about."""
    task = findings.pair.primary_task
    chosen = [found for found in findings.task_accuracies if (found.task == task) == is_primary]
    if is_primary and task is not None and not any(found.main for found in chosen):
        print(f"\n{render_task_accuracy.missing(task)}")
    first = {found.task: found for found in reversed(chosen)}
    for found in chosen:
        if is_whole or found is first[found.task]:
            contests = found.all_contests if is_whole else [found.main] if found.main else []
            head = render_task_accuracy.title(found, is_primary)
            print("\n".join(["", f"study {findings.study}, {head}", *render_task_accuracy.lines(found, contests)]))
    if any(found.main for found in chosen):
        print(render_task_accuracy.ON_TIMES)


def print_decoders(findings: Findings, cell_ids: AbstractSet[str] | None = None) -> None:
    """The decoders of every place under a title. cell_ids: of the places of these cells alone."""
    places = [place for place in findings.decoders.places if has_cells(place, cell_ids)]
    for place in places:
        where = f"{decoder_words.place_words(place)}, on {wording.machine_of(place.every)}"
        print(f"\nstudy {findings.study}, decoders: {where}")
        print("\n".join(render_decoders.lines_of(place)))
    if sentence := render_decoders.cost_sentence(places):
        print(f"\n{sentence}")


def has_cells(group: Comparison | Scaling | Ends | Place, cell_ids: AbstractSet[str] | None) -> bool:
    """Whether a group of runs has one of these cells; None stands for all cells."""
    return not group.every.empty and (cell_ids is None or bool(group.every["cell_id"].isin(cell_ids).any()))


def ends_lines(findings: Findings) -> list[str]:
    """The runs that differ in how answers end, under a title, and what they say."""
    every = findings.ends.every
    title = f"\nstudy {findings.study}, ends: {render_ends.common_words(every)}, on {wording.machine_of(every)}"
    return [title, *render_ends.table_lines(findings.ends), *render_ends.lines(findings.ends)]


def comparison_lines(comparison: Comparison, cell_ids: AbstractSet[str] | None = None) -> list[str]:
    """What a terminal shows of a comparison under its title; cell_ids: of these cells alone."""
    rows = pd.concat([comparison.rows, comparison.human, comparison.left_out])
    own = comparison.rows
    if cell_ids is not None:
        rows = rows[rows["cell_id"].isin(cell_ids)]
        own = own[own["cell_id"].isin(cell_ids)]
    parts = [
        wording.weights_label(comparison.every).upper(),
        render_comparison.table(rows, render_comparison.COLUMNS).to_string(index=False),
    ]
    if comparison.is_checked:
        without_flags = own.assign(flags="")  # they are about times
        table = render_comparison.table(without_flags, render_comparison.PART_COLUMNS[comparison.about])
        parts.append(f"\n{render_comparison.PART_TITLES[comparison.about]}")
        parts.append(table.to_string(index=False))
    parts += wording.scoring_sentences(rows)
    parts += render_comparison.verdict(comparison)
    parts += [wording.left_out_sentence(comparison), wording.retry_sentence(comparison)]
    return [part for part in parts if part]


def print_headlines(findings: Findings) -> None:
    """The largest comparisons of answers, of tasks and of word problems, with those that differ from them in the block
    length and the temperature alone, accuracies, and in each scaling group how the models compare or where memory ends.
    """
    print_accuracies(findings, is_primary=True)
    for about in dict.fromkeys(comparison.about for comparison in findings.comparisons):
        for comparison in by_block_and_temperature(findings.comparisons, about):
            print_comparison(findings.study, comparison)
    print_accuracies(findings, is_primary=False)
    for scaling in findings.scalings:
        if sentences := render_scaling.outcome_sentences(scaling):
            print(f"\n{wording.scaling_title(scaling)}")
            print("\n".join([*sentences, *render_extrapolation.sentences(scaling)]))
    if findings.ends.places:
        print("\n".join(["", *render_ends.lines(findings.ends)]))
    if sentences := decoder_words.best_sentences(findings.decoders.places):
        print("\n".join(["", *sentences]))
    print_doubts(findings)
    print_answers(findings)


def print_doubts(findings: Findings, cell_ids: AbstractSet[str] | None = None) -> None:
    """The numbers of a study that cannot be true. cell_ids: those alone that cells of these have a part in."""
    if doubts := render_consistency.lines(findings.falls, cell_ids):
        print("\n".join(["", *doubts]))


def print_answers(findings: Findings) -> None:
    """The question that the study began with and its answers, borrowed quality, and what became of declared
    endpoints."""
    print("\n".join(["", *render_hundred_steps.lines(findings.comparisons, findings.hundred_steps)]))
    if borrowed := render_borrowed.lines(findings.borrowed):
        print("\n".join(borrowed))
    if findings.declared is not None:
        print("\n".join(render_endpoints.lines(findings.study, findings.declared, findings.endpoints)))


def print_comparison(study: str, comparison: Comparison, cell_ids: AbstractSet[str] | None = None) -> None:
    """A comparison under its title. cell_ids: of these cells alone."""
    print(f"\nstudy {study}, {wording.comparison_title(comparison)}, on {wording.machine_of(comparison.every)}")
    print("\n".join(comparison_lines(comparison, cell_ids)))
