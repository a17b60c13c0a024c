"""What of a study's findings the report shows: of everything the largest, since a paper has one of each."""

from dataclasses import dataclass, field
from functools import cached_property

from bench.analysis.comparison import (
    EMPTY,
    KINDS_OF_CELLS,
    Comparison,
    alike_but_for,
    by_block,
    main_of,
    on_other_engines,
)
from bench.analysis.findings import Findings
from bench.analysis.ledger import LedgerLine, ledger_of
from bench.analysis.likelihood import Likelihood
from bench.analysis.runs import lead, temperature_of
from bench.analysis.scaling import Scaling
from paper import decoder_numbers, results
from paper.tables import borrowed as borrowed_tables
from paper.tables import ends as ends_tables
from paper.tables import ledger as ledger_tables
from paper.tables import problems as problems_tables
from paper.tables import scaling as scaling_tables
from paper.tables import task_accuracy as task_accuracy_tables


@dataclass(frozen=True)
class Selection:
    """The findings of a study, and those of them that the report shows in tables and figures."""

    findings: Findings
    answers: Comparison  # the largest about open-ended answers; empty where there is none
    tasks: Comparison  # the largest about tasks
    on_engines: tuple[Comparison, ...]  # `answers` on other engines
    scalings: dict[str, Scaling]  # by kind
    likelihoods: list[Likelihood]
    blocks: tuple[Comparison, ...] = ()  # about word problems, by LLaDA's block length
    # The same at other temperatures, by what the names of their numbers begin with: `t1.tasks.`.
    other_temperatures: dict[str, Comparison] = field(default_factory=dict)

    @property
    def problems(self) -> dict[str, Comparison]:
        """The comparisons about word problems, by what the names of their numbers begin with."""
        return {problems_tables.prefix_of(comparison): comparison for comparison in self.blocks}

    @property
    def first(self) -> Comparison:
        """The comparison that the report's words are about."""
        return self.tasks if self.answers.rows.empty else self.answers

    @cached_property
    def ledger(self) -> list[LedgerLine]:
        """Published claims beside this study's numbers; empty where it has none of them."""
        runs = [group.every for group in (*self.findings.comparisons, *self.scalings.values())]
        device = str(lead(runs[0])["device"]) if runs else ""
        findings = self.findings
        return ledger_of(findings.pair, device, findings.comparisons, findings.scalings, self.measured)

    @property
    def compared(self) -> dict[str, Comparison]:
        """The comparisons whose numbers stand in results.json, by what their names begin with."""
        on_engines = {f"{lead(comparison.every)['engine']}.": comparison for comparison in self.on_engines}
        return {"": self.answers, "tasks.": self.tasks, **on_engines, **self.crossing}

    @property
    def crossing(self) -> dict[str, Comparison]:
        """Those whose cross-overs stand there as well."""
        return {"": self.answers, "tasks.": self.tasks, **self.problems, **self.other_temperatures}

    def numbers(self) -> dict[str, dict]:
        """Everything in results.json."""
        borrowed = borrowed_tables.numbers(self.findings.borrowed)
        return self.measured | borrowed | ledger_tables.numbers(self.ledger)

    @cached_property
    def measured(self) -> dict[str, dict]:
        """The numbers that the study measured, without those that stand beside published ones."""
        numbers = {}
        for prefix, comparison in self.compared.items():
            numbers |= results.results(comparison, prefix)
        numbers |= results.likelihood_numbers(self.likelihoods) | scaling_tables.numbers(self.scalings)
        numbers |= results.hundred_steps(self.findings.hundred_steps) | ends_tables.numbers(self.findings.ends)
        numbers |= decoder_numbers.numbers(self.findings.decoders)
        numbers |= results.cross_overs(self.answers) | results.cross_overs(self.tasks)
        for comparison in self.blocks:
            numbers |= problems_tables.cross_overs(comparison)
        for prefix, comparison in self.other_temperatures.items():
            numbers |= {f"{prefix}{name}": number for name, number in results.cross_overs(comparison).items()}
        numbers |= task_accuracy_tables.numbers(self.findings.task_accuracies)
        return numbers | results.of_primary(numbers, self.findings.pair.primary_metric)


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
        tuple(by_block(findings.comparisons, "problems")),
        at_other_temperatures(findings.comparisons),
    )


def at_other_temperatures(every: list[Comparison]) -> dict[str, Comparison]:
    """The comparisons that differ from the largest about something in the temperature, and of word problems in the
    block length as well, by what the names of their numbers begin with."""
    result = {}
    own = {"answers": "", "tasks": "tasks."}
    for about in KINDS_OF_CELLS:
        settings = ("temperature",) if about in own else ("temperature", "block_length")
        main = main_of(every, about)
        for comparison in alike_but_for(settings, every, about):
            temperature = temperature_of(lead(comparison.every))
            if temperature != temperature_of(lead(main.every)):
                prefix = own[about] if about in own else problems_tables.prefix_of(comparison)
                result[f"t{temperature:g}.{prefix}"] = comparison
    return result
