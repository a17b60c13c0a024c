"""Everything that a terminal shows of a study."""

import pandas as pd

from bench.analysis.comparison import Comparison
from bench.analysis.findings import Findings
from bench.render import comparison as render_comparison
from bench.render import cost as render_cost
from bench.render import endpoints as render_endpoints
from bench.render import hundred_steps as render_hundred_steps
from bench.render import hypotheses as render_hypotheses
from bench.render import likelihood as render_likelihood
from bench.render import scaling as render_scaling
from bench.render import wording


def print_findings(findings: Findings) -> None:
    """Tables, what failed and the verdicts of a study, on standard output."""
    for comparison in findings.comparisons:
        machine = wording.machine_of(comparison.every)
        print(f"\nstudy {findings.study}, {wording.comparison_title(comparison)}, on {machine}")
        print("\n".join(comparison_lines(comparison)))
    for scaling in findings.scalings:
        print(f"\nstudy {findings.study}, {wording.scaling_title(scaling)}, on {wording.machine_of(scaling.every)}")
        print("\n".join(render_scaling.lines(scaling)))
    for line in (
        *render_likelihood.lines(findings.likelihoods),
        *render_cost.lines(findings.costs),
        *render_hypotheses.lines(findings.scores, findings.tolerances),
        *render_hundred_steps.lines(findings.comparisons, findings.hundred_steps),
        *render_endpoints.lines(findings.study, findings.declared, findings.endpoints),
    ):
        print(line)


def comparison_lines(comparison: Comparison) -> list[str]:
    """Everything that a terminal shows of a comparison under its title."""
    rows = pd.concat([comparison.rows, comparison.human, comparison.left_out])
    parts = [
        wording.weights_label(comparison.every).upper(),
        render_comparison.table(rows, render_comparison.COLUMNS).to_string(index=False),
    ]
    if comparison.about == "tasks":
        without_flags = comparison.rows.assign(flags="")  # they are about times
        table = render_comparison.table(without_flags, render_comparison.TASK_COLUMNS)
        parts.append("\naccuracy by task; positions depend on each other from shuffle on")
        parts.append(table.to_string(index=False))
    parts += render_comparison.verdict(comparison)
    parts += [wording.left_out_sentence(comparison), wording.retry_sentence(comparison)]
    return [part for part in parts if part]
