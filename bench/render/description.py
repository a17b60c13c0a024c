"""What the description of a study on MLflow's pages says: its verdicts, in the words of the terminal."""

from bench.analysis.comparison import Comparison
from bench.analysis.findings import Findings
from bench.render import comparison as render_comparison
from bench.render import ends as render_ends
from bench.render import scaling as render_scaling
from bench.render import task_accuracy as render_task_accuracy
from bench.render import wording

MOST_CHARACTERS = 12_000  # MLflow takes 20,000, with what stands around the verdicts


def verdicts(findings: Findings) -> tuple[str, ...]:
    """What a study says, a paragraph for each comparison and each group along an axis, as many as fit."""
    paragraphs = [comparison_paragraph(comparison) for comparison in findings.comparisons]
    for scaling in findings.scalings:
        if says := render_scaling.sentences(scaling, with_noise=False):
            paragraphs.append(paragraph(wording.scaling_title(scaling), says))
    accuracies = {found.task: found for found in reversed(findings.task_accuracies)}
    for task, found in accuracies.items():
        text = paragraph(f"Accuracy in {task}", render_task_accuracy.sentences(found))
        paragraphs.insert(0 if task == findings.pair.primary_task else len(paragraphs), text)
    if findings.ends.places:
        title, *says = render_ends.lines(findings.ends)
        paragraphs.append(paragraph(title.rstrip("."), says))
    fitting, characters = [], 0
    for text in paragraphs:
        characters += len(text)
        if characters > MOST_CHARACTERS:
            fitting.append(f"`python -m bench.report {findings.study}` prints the rest.")
            break
        fitting.append(text)
    return tuple(fitting)


def comparison_paragraph(comparison: Comparison) -> str:
    """The verdicts of one comparison, under what its runs have in common."""
    title = f"{wording.comparison_title(comparison)}, on {wording.machine_of(comparison.every)}"
    label = wording.weights_label(comparison.every)
    return paragraph(f"{title}, {label}" if label else title, render_comparison.verdict(comparison))


def paragraph(title: str, sentences: list[str]) -> str:
    """Sentences under a title, in Markdown."""
    return f"**{wording.capitalised(title)}.** {' '.join(filter(None, sentences))}"
