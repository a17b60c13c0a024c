"""What the page says first: the verdicts, in the words of the terminal and of MLflow's description."""

from dataclasses import dataclass, replace

from bench.analysis.comparison import Comparison, main_of
from bench.analysis.findings import Findings
from bench.render import comparison as render_comparison
from bench.render import consistency as render_consistency
from bench.render import decoders as render_decoders
from bench.render import endpoints as render_endpoints
from bench.render import ends as render_ends
from bench.render import extrapolation as render_extrapolation
from bench.render import hundred_steps as render_hundred_steps
from bench.render import hypotheses as render_hypotheses
from bench.render import likelihood as render_likelihood
from bench.render import scaling as render_scaling
from bench.render import wording


@dataclass(frozen=True)
class Paragraph:
    """Sentences under a title. is_first: whether a visitor sees them at once, or opens them. at_once: how many of them
    he sees, where they are many."""

    title: str
    sentences: list[str]
    is_first: bool = False
    at_once: int = 8


def paragraphs(findings: Findings) -> list[Paragraph]:
    """What a study says: the largest comparisons first, then the axes, how answers end, decoders, the rest."""
    about = dict.fromkeys(comparison.about for comparison in findings.comparisons)
    mains = [comparison_paragraph(main_of(findings.comparisons, name)) for name in about]
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
        Paragraph("The question that the study began with", hundred, is_first=True, at_once=4),
        Paragraph("Decoders", render_decoders.best_sentences(findings.decoders.places), is_first=True),
        Paragraph("What was declared beforehand", endpoints),
        *axes,
        Paragraph("How answers end", render_ends.lines(findings.ends)),
        Paragraph("Likelihood of held-out text", render_likelihood.lines(findings.likelihoods)),
        Paragraph("Predictions", render_hypotheses.summary(findings.scores, findings.tolerances)),
        Paragraph("Numbers that cannot be true", render_consistency.lines(findings.falls), is_first=True, at_once=1),
    ]
    shown = [with_whole_lines(paragraph) for paragraph in [*mains, *rest]]
    return [paragraph for paragraph in shown if paragraph.sentences]


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
