"""What the page says first: the verdicts, in the words of the terminal and of MLflow's description."""

from dataclasses import dataclass, replace

from bench.analysis.borrowed import Borrowed
from bench.analysis.comparison import Comparison, by_block_and_temperature, main_of
from bench.analysis.findings import Findings
from bench.analysis.task_accuracy import TaskAccuracy
from bench.render import borrowed as render_borrowed
from bench.render import comparison as render_comparison
from bench.render import consistency as render_consistency
from bench.render import decoder_words, wording
from bench.render import endpoints as render_endpoints
from bench.render import ends as render_ends
from bench.render import extrapolation as render_extrapolation
from bench.render import hundred_steps as render_hundred_steps
from bench.render import hypotheses as render_hypotheses
from bench.render import ledger as render_ledger
from bench.render import likelihood as render_likelihood
from bench.render import scaling as render_scaling
from bench.render import task_accuracy as render_task_accuracy
from paper.selection import Selection


@dataclass(frozen=True)
class Paragraph:
    """Sentences under a title. is_first: whether a visitor sees them at once, or opens them. at_once: how many of them
    he sees, where they are many."""

    title: str
    sentences: list[str]
    is_first: bool = False
    at_once: int = 8


def paragraphs(selection: Selection) -> list[Paragraph]:
    """What a study says: the task that is its pair's primary metric and the largest comparisons first, then the axes,
    how answers end, decoders, what others have published, the rest."""
    findings = selection.findings
    about = dict.fromkeys(comparison.about for comparison in findings.comparisons)
    mains = [paragraph for name in about for paragraph in comparison_paragraphs(findings, name)]
    axes = [
        Paragraph(
            wording.capitalised(wording.scaling_title(scaling)),
            [*render_scaling.outcome_sentences(scaling), *render_extrapolation.sentences(scaling)],
            is_first=not mains or scaling.kind == "batch",
        )
        for scaling in findings.scalings
    ]
    hundred = render_hundred_steps.lines(findings.comparisons, findings.hundred_steps)
    endpoints = render_endpoints.lines(findings.study, findings.declared, findings.endpoints)
    rest = [
        *task_paragraphs(findings, is_primary=False),
        Paragraph("The question that the study began with", hundred, is_first=True, at_once=4),
        Paragraph("Decoders", decoder_words.best_sentences(findings.decoders.places), is_first=True),
        Paragraph("What was declared beforehand", endpoints),
        borrowed_paragraph(findings.borrowed),
        Paragraph("Ledger of published claims", render_ledger.sentences(selection.ledger), is_first=True),
        *axes,
        Paragraph("How answers end", render_ends.lines(findings.ends)),
        Paragraph("Likelihood of held-out text", render_likelihood.lines(findings.likelihoods)),
        Paragraph("Predictions", render_hypotheses.summary(findings.scores, findings.tolerances)),
        Paragraph("Numbers that cannot be true", render_consistency.lines(findings.falls), is_first=True, at_once=1),
    ]
    primary = task_paragraphs(findings, is_primary=True)
    shown = [with_whole_lines(paragraph) for paragraph in [*primary, *mains, *rest]]
    return [paragraph for paragraph in shown if paragraph.sentences]


def task_paragraphs(findings: Findings, is_primary: bool) -> list[Paragraph]:
    """The tasks of lm-evaluation-harness: that which is the pair's primary metric, or the others; of each the first
    setting at once."""
    task = findings.pair.primary_task
    chosen = [found for found in findings.task_accuracies if (found.task == task) == is_primary]
    if is_primary and task is not None and not any(found.main for found in chosen):
        return [Paragraph("The primary metric", [render_task_accuracy.missing(task)], is_first=True)]
    first = {found.task: found for found in reversed(chosen)}
    return [
        Paragraph(
            task_title(found, is_primary),
            [*render_task_accuracy.sentences(found), *([render_task_accuracy.ON_TIMES] if found.main else [])],
            is_first=found is first[found.task],
        )
        for found in chosen
    ]


def task_title(found: TaskAccuracy, is_primary: bool) -> str:
    """ "Accuracy in gsm8k (the primary metric), 1319 questions, ..."."""
    title = render_task_accuracy.title(found, is_primary)
    return f"Accuracy in {title}" if found.main else wording.capitalised(title)


def borrowed_paragraph(borrowed: Borrowed | None) -> Paragraph:
    """Where published accuracies come within the margin and what that costs; that two sides were measured by different
    people is seen at once."""
    if borrowed is None:
        return Paragraph(render_borrowed.TITLE, [])
    sides, *rest = render_borrowed.about(borrowed)
    tasks = map(render_borrowed.task_sentence, borrowed.tasks)
    return Paragraph(
        render_borrowed.TITLE, [render_borrowed.verdict(borrowed), sides, *tasks, *rest], is_first=True, at_once=2
    )


def comparison_paragraphs(findings: Findings, about: str) -> list[Paragraph]:
    """The verdict of the largest comparison about something; of others that differ in the block length and the
    temperature alone, to be opened."""
    main = main_of(findings.comparisons, about)
    alike = by_block_and_temperature(findings.comparisons, about)
    others = [comparison for comparison in alike if comparison is not main]
    folded = [replace(comparison_paragraph(comparison), is_first=False) for comparison in others]
    return [comparison_paragraph(main), *folded]


def comparison_paragraph(comparison: Comparison) -> Paragraph:
    """The verdict of a comparison, under what its runs have in common."""
    place = f"{wording.comparison_title(comparison)}, on {wording.machine_of(comparison.every)}"
    label = wording.weights_label(comparison.every)
    sentences = [*render_comparison.verdict(comparison), wording.left_out_sentence(comparison)]
    return Paragraph(wording.capitalised(f"{place}; {label}" if label else place), sentences, is_first=True)


def with_whole_lines(paragraph: Paragraph) -> Paragraph:
    """A paragraph without empty lines, and without the indents of a terminal."""
    sentences = [sentence.strip() for sentence in paragraph.sentences if sentence.strip()]
    return replace(paragraph, sentences=sentences)
