"""What of a study's findings the report shows: of everything the largest, since a paper has one of each."""

from dataclasses import dataclass

from bench.analysis.comparison import EMPTY, Comparison, main_of, on_other_engines
from bench.analysis.findings import Findings
from bench.analysis.likelihood import Likelihood
from bench.analysis.scaling import Scaling
from paper import decoder_numbers, results
from paper.tables import ends as ends_tables
from paper.tables import scaling as scaling_tables


@dataclass(frozen=True)
class Selection:
    """The findings of a study, and those of them that the report shows in tables and figures."""

    findings: Findings
    answers: Comparison  # the largest about open-ended answers; empty where there is none
    tasks: Comparison  # the largest about tasks
    on_engines: tuple[Comparison, ...]  # `answers` on other engines
    scalings: dict[str, Scaling]  # by kind
    likelihoods: list[Likelihood]

    @property
    def first(self) -> Comparison:
        """The comparison that the report's words are about."""
        return self.tasks if self.answers.rows.empty else self.answers

    @property
    def compared(self) -> dict[str, Comparison]:
        """The comparisons whose numbers stand in results.json, by what their names begin with."""
        on_engines = {f"{comparison.every['engine'].iloc[0]}.": comparison for comparison in self.on_engines}
        return {"": self.answers, "tasks.": self.tasks, **on_engines}

    def numbers(self) -> dict[str, dict]:
        """Everything in results.json."""
        numbers = {}
        for prefix, comparison in self.compared.items():
            numbers |= results.results(comparison, prefix)
        numbers |= results.likelihood_numbers(self.likelihoods) | scaling_tables.numbers(self.scalings)
        numbers |= results.hundred_steps(self.findings.hundred_steps) | ends_tables.numbers(self.findings.ends)
        numbers |= decoder_numbers.numbers(self.findings.decoders)
        return numbers | results.cross_overs(self.answers) | results.cross_overs(self.tasks)


def select(findings: Findings) -> Selection:
    """What the report shows of a study."""
    answers = main_of(findings.comparisons, "answers") or EMPTY
    return Selection(
        findings,
        answers,
        main_of(findings.comparisons, "tasks") or EMPTY,
        tuple(on_other_engines(answers, findings.comparisons)),
        scaling_tables.largest(findings.scalings),
        results.with_card(findings.likelihoods, findings.pair.name),
    )
