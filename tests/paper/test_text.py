"""The text of the paper: one source for every outcome, no number and no direction but from the runs."""

import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from bench.analysis.study import Histories, Study
from paper import build
from paper.figures import comparison, decoder_rates, decoders, engines, memory, scaling
from paper.figures import write as figures
from paper.sentences import counts, threats
from paper.sentences import study as sentences
from paper.sentences.study import REFERENCES, SECTIONS
from paper.tables import latex
from tests.conftest import REPO
from tests.paper.test_build import STEPS, FakeTracking, without_mlflow
from tests.support import made_up_decoders, made_up_page
from tests.support.made_up_scaling import probes
from tests.support.paper_text import captions_of_figures, sources, text_of

MACRO = re.compile(r"\\(?:num|val)\{([^{}]+)\}")
FIGURES = {*comparison.FIGURES, *comparison.TASK_FIGURES, *scaling.FIGURES, *engines.FIGURES, *memory.FIGURES,
           *decoders.FIGURES, *decoder_rates.FIGURES, "roofline", "surface", "problems", "energy", "noise",
           "predictions"}  # fmt: skip
# What may hold digits in the sources: layout, names of models and of parts of other papers, and the level of intervals,
# which bench/common/stats.py has as LEVEL.
LAYOUT = (
    r"\\\w+\{[^{}]*\d[^{}]*\}", r"\d*\.?\d+(cm|pt|em|\\linewidth)", r"\[\d?[a-z\d]*\]", r"LLaMA-?3-8B", r"\b8B\b",
    r"B\.7", r"d[23](?:Cache|LLM)", r"95\\,\\%", r"UTF-8", r"\{[\d.]+\}",
)  # fmt: skip
DIRECTIONS = re.compile(
    r"\b(faster|slower|quicker|cheaper|wins?|loses|outperforms?|higher than|lower than|more than LLaMA|less than LLaMA|"
    r"ahead of|behind LLaMA|half|twice|thrice|double)\b"
)
PROSE = [  # sentences of the sources that compare without a measurement, each seen and allowed
    "in every round the first timed call was slower than calls of the same shape",  # what a flag means
]


def report(monkeypatch, folder: Path, fake: FakeTracking, with_figures: bool = False) -> str:
    """The text of a made-up study's paper. Without figures it takes less than a second."""
    without_mlflow(monkeypatch, folder, fake)
    monkeypatch.setattr(build, "make_pdf", lambda: ("no LaTeX wanted", True))
    monkeypatch.setattr(build, "print_headlines", lambda findings: None)
    monkeypatch.setattr(sys, "argv", ["paper.build", "made-up"])
    if not with_figures:
        monkeypatch.setattr(figures, "write", lambda selection, folder: folder.mkdir())
    assert build.main() == 0
    return text_of(build.BUILD)


OUTCOMES = {  # LLaDA's milliseconds and score by steps, beside LLaMA's 500 ms and .45; what the paper must say, and not
    "wins": (
        {4: (50, 0.44), 8: (100, 0.46), 16: (200, 0.46)},
        ("That is beyond the 16 steps that were run at most: LLaDA was faster at every number.",
         "at like quality LLaDA is faster", "by BERTScore F1 it is faster"),
        ("LLaDA is slower", "is not shown to come within"),
    ),
    "loses": (
        {4: (2400, 0.2), 8: (4800, 0.45), 16: (9600, 0.46)},
        ("which is less than one step of LLaDA takes: LLaDA is slower at every number of steps.",
         "at like quality LLaDA is slower", "by BERTScore F1 it is slower"),
        ("LLaDA is faster", "LLaDA was faster"),
    ),
    "never crosses": (
        {4: (80, 0.2), 8: (160, 0.3), 16: (320, 0.35)},
        ("On open-ended answers LLaDA is not shown to come within the declared margin of 0.02 of LLaMA's BERTScore F1",
         "by BERTScore F1 like quality was not shown", "more than were run, or not shown, for BERTScore F1"),
        ("LLaDA comes within the declared margin of 0.02",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_one_source_reads_true_whatever_the_outcome(outcome, monkeypatch, tmp_path):
    steps, said, not_said = OUTCOMES[outcome]
    text = report(monkeypatch, tmp_path, FakeTracking(steps=steps))
    abstract = text.split("\\begin{abstract}")[1].split("\\end{abstract}")[0]
    for sentence in said[:-1]:
        assert sentence in text
    assert said[-1] in text.split("\\section{Conclusion}")[1] or outcome == "never crosses"
    assert said[0] in abstract
    for words in not_said:
        assert words not in text


@pytest.mark.parametrize("part", [sentences.abstract, sentences.conclusion])
def test_what_published_accuracies_say_stands_before_the_other_answers(part):
    assert part({"say_hundred": "At 100 steps.", "say_borrowed": "By published accuracies."}).endswith(
        "By published accuracies. At 100 steps."
    )


def test_an_engine_that_no_run_names_is_one_engine(monkeypatch, tmp_path):
    assert "For the same prompts and length time breaks even" not in report(monkeypatch, tmp_path, FakeTracking())


def test_a_tie_is_called_one(monkeypatch, tmp_path):
    steps = {4: (100, 0.2), 8: (500, 0.46), 16: (900, 0.46)}
    assert "which of the two is faster cannot be told from noise" in report(
        monkeypatch, tmp_path, FakeTracking(steps=steps)
    )


def test_a_study_without_quality_has_no_word_on_it(monkeypatch, tmp_path):
    fake = FakeTracking(pair="8b-shapes", weights="random")
    fake.runs = fake.runs.drop(columns=[name for name in fake.runs if name.startswith(("quality/", "per_prompt/"))])
    text = report(monkeypatch, tmp_path, fake)
    assert "Quality was not measured: the weights are random, the shapes real." in text
    assert "quality of the text" in text.split("This study has no part on:")[1].split(".")[0]
    assert "comes within" not in text.split("\\section{Conclusion}")[1]
    assert "\\textbf{At pocket scale} & Nothing: this study measured no model of that size." in text


def test_a_study_without_a_gpu_has_no_energy_and_says_that_nothing_vouches_for_it(monkeypatch, tmp_path):
    text = report(monkeypatch, tmp_path, FakeTracking())
    assert "\\section{Energy}" not in text
    assert "energy" in text.split("This study has no part on:")[1].split(".")[0]
    assert "Nothing vouches that a CPU did nothing else" in text
    assert "\\textbf{At 8B} & Nothing: this study measured no model of that size." in text


def test_energy_stands_there_where_it_was_measured(monkeypatch, tmp_path):
    fake = FakeTracking(platform="cuda", device="a card", verdict="exclusive")
    joules = {run_id: {1: 100.0, 2: 101.0, 3: 99.0} for run_id in fake.runs["run_id"]}
    for (run_id, name), values in list(fake.histories.items()):
        if name == "rounds/latency/latency_ms":
            joules[run_id] = {number: value / 2 for number, value in values.items()}
    fake.runs["energy/j"] = [next(iter(joules[run_id].values())) for run_id in fake.runs["run_id"]]
    fake.runs["rounds/energy/j"] = fake.runs["energy/j"]
    fake.histories |= {(run_id, "rounds/energy/j"): values for run_id, values in joules.items()}
    text = report(monkeypatch, tmp_path, fake)
    assert "\\section{Energy}" in text
    assert "An answer of LLaMA takes 250" in text
    assert "which is not told apart from the" in text
    assert "Nothing vouches that a CPU" not in text


def test_growth_says_who_parallelises_better(monkeypatch, tmp_path):
    """In the made-up grid LLaMA's call hardly grows with the batch, and a step of LLaDA grows with it."""
    text = report(monkeypatch, tmp_path, FakeTracking())
    assert "Do diffusion models parallelise better? No, not over requests" in text
    assert "Yes, over requests as well" not in text


def test_growth_says_so_where_llada_gains(monkeypatch, tmp_path):
    fake = FakeTracking()
    grows = (fake.runs["kind"] == "batch") & (fake.runs["model"] == "llama") & (fake.runs["batch_size"] == 8)
    [run_id] = fake.runs.loc[grows, "run_id"]
    for metric, factor in (("latency/latency_ms", 100.0), ("throughput/tokens_per_s", 0.01)):
        fake.runs.loc[grows, metric] *= factor
        own = fake.histories[run_id, f"rounds/{metric}"]
        fake.histories[run_id, f"rounds/{metric}"] = {number: value * factor for number, value in own.items()}
    text = report(monkeypatch, tmp_path, fake)
    assert "Do diffusion models parallelise better? Yes, over requests as well" in text
    assert "No, not over requests" not in text


def test_changing_one_measured_number_changes_the_paper(monkeypatch, tmp_path):
    before = report(monkeypatch, tmp_path / "before", FakeTracking())
    after = report(monkeypatch, tmp_path / "after", FakeTracking(steps=STEPS | {8: (161, 0.44)}))
    assert before != after
    assert before == report(monkeypatch, tmp_path / "again", FakeTracking())


def test_every_number_of_a_sentence_is_in_results_json(monkeypatch, tmp_path):
    report(monkeypatch, tmp_path, FakeTracking())
    numbers = json.loads((build.BUILD / "results.json").read_text())
    facts = json.loads((build.BUILD / "facts.json").read_text())
    asked = {name for text in facts.values() for name in MACRO.findall(text)}
    assert {"llama.latency_ms", "break_even_steps", "bertscore_f1.cross_over_steps", "cells.all"} <= asked
    assert asked <= set(numbers)


def test_no_sentence_of_measurements_holds_digits_of_its_own(monkeypatch, tmp_path):
    """All latencies are multiplied by a factor; whatever stays the same is no measurement of time."""
    report(monkeypatch, tmp_path, FakeTracking())
    facts = json.loads((build.BUILD / "facts.json").read_text())
    measured = [facts["say_time"], facts["say_quality"], facts["say_parallel"]]
    settings = r"\d+ tokens|batch \d+|(up to|[aA]t|the) \d+ steps|margin of 0\.\d+|BERTScore F1"
    for sentence in measured:
        assert not re.search(r"\d", re.sub(settings, "", MACRO.sub("", sentence))), sentence


def test_the_sources_hold_no_number_of_a_result():
    text = sources().split("\\begin{document}")[1]
    text = re.sub(r"\$[^$]*\$", "", MACRO.sub("", text))
    for allowed in LAYOUT:
        text = re.sub(allowed, "", text)
    found = [text[max(0, m.start() - 40) : m.end() + 20] for m in re.finditer(r"\d+", text)]
    assert found == []


def test_the_sources_hold_no_direction_of_a_result():
    text = " ".join(sources().split())
    for allowed in PROSE:
        text = text.replace(allowed, "")
    assert [text[max(0, m.start() - 60) : m.end() + 20] for m in DIRECTIONS.finditer(text)] == []


def test_every_figure_has_a_place_and_is_referred_to():
    assert set(captions_of_figures()) == FIGURES
    referred = {target for targets in REFERENCES.values() for target in targets}
    assert {f"figure_{name}" for name in FIGURES} <= referred
    for name in REFERENCES:
        assert f"{{{name}}}" in sources(), f"nothing says {name}"


def test_every_table_has_a_place(monkeypatch, tmp_path):
    report(monkeypatch, tmp_path, FakeTracking())
    places = set(re.findall(r"\\tablehere\{(\w+)\}", sources()))
    assert {file.stem for file in (build.BUILD / "tables").glob("*.tex")} == places
    referred = {target for targets in REFERENCES.values() for target in targets}
    tables = {name for f in (build.BUILD / "tables").glob("*.tex") for name in latex.LABELS.findall(f.read_text())}
    assert {f"table_{name}" for name in tables} <= referred


def test_what_a_study_lacks_is_left_out_whole_and_listed(monkeypatch, tmp_path):
    text = report(monkeypatch, tmp_path, FakeTracking())
    lacking = text.split("This study has no part on:")[1].split(".")[0]
    for name in ("length", "prompt", "decoders", "energy", "predictions"):
        assert name in lacking
        assert f"\\section{{{name.capitalize()}" not in text
    assert "quality" not in lacking
    assert "not measured" not in text.split("\\section{Related work}")[1].replace("was not measured", "")
    assert set(SECTIONS) >= {"baseline", "quality", "batch", "memory", "engines", "decoders", "energy", "predictions"}


def test_cells_that_were_not_alone_are_left_out_and_counted(monkeypatch, tmp_path):
    fake = FakeTracking(platform="cuda", device="a card", verdict="exclusive")
    violated = (fake.runs["kind"] == "sweep") & (fake.runs["steps"] == 16)
    fake.runs.loc[violated, "verdict"] = "violated"
    text = report(monkeypatch, tmp_path, fake)
    numbers = json.loads((build.BUILD / "results.json").read_text())
    assert numbers["cells.violated"]["value"] == violated.sum() == 1
    left_out = numbers["cells.left_out"]["value"]
    assert f"{left_out:.0f} of them failed or cannot be believed" in text
    assert "1 of these because other programs used the card." in text
    assert "LLaDA, 16 steps" not in (build.BUILD / "tables/steps.tex").read_text()
    assert "excluded, violated" in (build.BUILD / "tables/cells.tex").read_text()


def test_batches_of_a_search_that_did_not_fit_are_no_failures():
    runs = pd.DataFrame(
        [("frontier", "oom", "oom: no room"), ("frontier", "ok", ""), ("sweep", "ok", ""), ("sweep", "oom", "oom")],
        columns=["kind", "outcome", "reason"],
    ).assign(run_id=list("abcd"))
    numbers = counts.cells(runs)
    assert {name: number["value"] for name, number in numbers.items()} == {
        "cells.all": 4, "cells.left_out": 1, "cells.violated": 0, "cells.too_large": 1,
    }  # fmt: skip
    assert "did not fit into memory" in sentences.left_out(numbers)
    assert "of them failed or cannot be believed" in sentences.left_out(numbers)
    assert sentences.left_out(counts.cells(runs[:3])).endswith("ends. All others count.")
    assert sentences.left_out(counts.cells(runs[1:3])).endswith("and all of them count.")


def test_a_study_that_compares_no_steps_concludes_with_what_it_has():
    edges = {"say_edges": "As many rows fit.", "say_decoders_beside": "As fast."}
    assert sentences.conclusion(edges) == sentences.abstract(edges) == "As many rows fit. As fast."
    assert sentences.conclusion(edges | {"say_time": "So long."}) == ""
    assert sentences.abstract(edges | {"say_time": "So long."}) == "So long."


def test_threats_of_the_measurement_have_a_heading_where_there_are_some():
    on_a_card = {"platform": "cuda", "device": "a card", "verdict": "exclusive"}
    rows = [row | on_a_card for row in probes("llada", (8, "ok"), (9, "oom"), steps=64)]
    for made_up, has_some in (
        (made_up_page.answers(), True),
        (Study("made up", pd.DataFrame(rows), Histories()), False),
    ):
        _, selection = made_up_page.found(made_up)
        said = sentences.of(selection, selection.numbers() | counts.cells(selection.findings.runs), {})
        assert ("threat_internal" in said) is has_some
    section = (
        (REPO / "paper/sections/threats.tex").read_text().split("\\known{threat_internal}{")[1].split("\\emph{Ext")[0]
    )
    assert sorted(f"threat_{name}" for name in threats.INTERNAL) == sorted(re.findall(r"threat_\w+", section))


def test_mixed_devices_are_refused_with_the_list(monkeypatch, tmp_path, capfd):
    fake = FakeTracking()
    fake.runs.loc[fake.runs["kind"] == "batch", ["platform", "device"]] = ["cuda", "a card"]
    without_mlflow(monkeypatch, tmp_path, fake)
    monkeypatch.setattr(sys, "argv", ["paper.build", "made-up"])
    with pytest.raises(
        build.BadInput, match=r"mixes 2 devices, and a paper is about one: a CPU \(cpu, 8 cells\); a card"
    ):
        build.main()
    assert not build.BUILD.exists()


def test_a_study_of_decoders_alone_has_a_paper(monkeypatch, tmp_path):
    made_up = made_up_decoders.tasks_study()
    fake = FakeTracking()
    fake.histories = made_up.values
    fake.runs = pd.DataFrame(made_up.rows).assign(git="abc")
    for name in {name for _, name in made_up.values}:
        last_values = [made_up.values.get((run_id, name)) for run_id in fake.runs["run_id"]]
        fake.runs[name] = [list(values.values())[-1] if values else None for values in last_values]
    text = report(monkeypatch, tmp_path, fake)
    assert "\\section{Decoders}" in text
    assert re.search(r"On tasks \d+ of \d+ decoders are shown to be within 0.05", text)
    assert "\\section{Steps, and where the models meet}" not in text
    assert "both models over the steps" in text.split("This study has no part on:")[1].split(".")[0]


def test_no_decoders_no_section(monkeypatch, tmp_path):
    assert (
        "decoder"
        not in report(monkeypatch, tmp_path, FakeTracking())
        .split("\\section{Threats")[0]
        .split("\\section{Method")[1]
        .lower()
    )


def test_parts_that_others_write_have_their_places():
    """Accuracy in tasks behind the steps, borrowed quality and the ledger behind the predictions."""
    order = ["sections/steps", "ifwritten{accuracy}", "sections/growth", "sections/predictions", "ifwritten{borrowed}",
             "ifwritten{ledger}", "sections/threats"]  # fmt: skip
    text = (REPO / "paper/main.tex").read_text()
    assert sorted(order, key=text.index) == order


@pytest.mark.parametrize(("model", "lacks"), [("llama", "LLaMA alone"), ("llada", "batch")])
def test_a_study_of_one_model_says_that_the_two_were_not_compared(model, lacks, monkeypatch, tmp_path):
    fake = FakeTracking()
    fake.runs = fake.runs[fake.runs["model"] != model]
    text = report(monkeypatch, tmp_path, fake)
    missing = text.split("This study has no part on:")[1].split(".")[0]
    assert "both models over the steps" in missing
    assert lacks in missing
    assert "LLaDA takes as long" not in text
    assert "parallelise better? No" not in text
