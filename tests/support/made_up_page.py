"""Made-up studies as the page shows them: of everything that it can show, and of parts alone."""

import pandas as pd

from bench.analysis.findings import Findings, findings_of
from bench.analysis.study import Histories, Study
from bench.data.problems import DEPTHS
from paper.selection import Selection, select
from tests.support import (
    made_up_accuracy,
    made_up_comparison,
    made_up_decoders,
    made_up_ends,
    made_up_published,
    made_up_scaling,
)

STEPS = {4: (80, 0.2), 8: (160, 0.44), 16: (320, 0.46), 32: (640, 0.46)}  # LLaDA: milliseconds and BERTScore F1
LLAMA = (500, 0.45)
SETTINGS = {"platform": "cpu", "device": "a CPU", "rounds_logged": "1 2 3", "verdict": "unknown", "git": "abc"}


def answers() -> Study:
    """Open-ended answers of both models."""
    made_up = made_up_comparison.MadeUp()
    rows = made_up.comparison(LLAMA, STEPS, **SETTINGS).rows
    return Study("made up", rows.reset_index(drop=True), Histories(made_up.histories))


def tasks() -> Study:
    """Answers to tasks of both models."""
    of_answers = answers()
    runs = of_answers.runs.assign(kind="tasks", run_id=of_answers.runs["run_id"] + "-tasks")
    runs = runs.rename(columns={"quality/bertscore_f1": "quality/accuracy"})
    values = {
        (f"{run_id}-tasks", name.replace("bertscore_f1", "accuracy")): by_number
        for (run_id, name), by_number in of_answers.histories.values.items()
    }
    return Study("made up", runs, Histories(values))


def problems() -> Study:
    """Answers to word problems of both models, LLaDA's in blocks of 32 and of 8, by which it has fewer right."""
    of_tasks = tasks()
    runs = of_tasks.runs.assign(kind="problems")
    shorter = runs[runs["model"] == "llada"].assign(block_length=8)
    shorter = shorter.assign(run_id=shorter["run_id"] + "-8", **{"quality/accuracy": shorter["quality/accuracy"] / 2})
    values = of_tasks.histories.values
    more = {(f"{run_id}-8", name): by_number for (run_id, name), by_number in values.items()}
    both = pd.concat([runs, shorter], ignore_index=True)
    by_depth = {f"quality/accuracy_depth_{depth}": both["quality/accuracy"] - 0.01 * depth for depth in DEPTHS}
    return Study("made up", both.assign(**by_depth), Histories(values | more))


def accuracies() -> Study:
    """Tasks of lm-evaluation-harness under two templates and with another decoder, beside open-ended answers."""
    of_answers, whole = answers(), made_up_accuracy.MadeUp()
    right, count = made_up_accuracy.right, 200
    whole.add_all({None: right(120, count), 8: right(60, count), 32: right(120, count)}, "own")
    whole.add_all({None: right(120, count), 8: right(40, count), 32: right(60, count)}, "asked")
    for template in ("own", "asked"):
        whole.add(32, right(110, count), template, sampler="threshold", threshold=0.9, cache="dual", refresh="block")
    of_tasks = whole.study()
    rows = of_tasks.accuracies.assign(run_id=of_tasks.accuracies["run_id"] + "-lm")
    values = {(f"{run_id}-lm", name): by_number for (run_id, name), by_number in of_tasks.histories.values.items()}
    return Study("made up", of_answers.runs, Histories(of_answers.histories.values | values), rows)


def eight() -> Study:
    """Both models at 8B shapes over 256 tokens: times beside which published accuracies and claims stand."""
    made_up = made_up_comparison.MadeUp()
    steps = {count: (made_up_published.STEP_MS * count, 0.4) for count in made_up_published.STEPS}
    place = {"gen_length": 256, "engine": "captured", "pair": "8b-shapes", "stop": "length", "dtype": "bfloat16"}
    settings = SETTINGS | {"platform": "cuda", "device": "NVIDIA H100", "verdict": "exclusive"} | place
    rows = made_up.comparison((made_up_published.LLAMA_MS, 0.4), steps, {}, **settings).rows
    without_quality = rows.drop(columns=[name for name in rows if name.startswith("quality/")])
    return Study("made up", without_quality.reset_index(drop=True), Histories(made_up.histories))


def everything() -> Study:
    """Answers, tasks, every kind of grid, how answers end, and decoders; three cells ran out of memory."""
    parts = [answers(), tasks(), made_up_scaling.study_of(made_up_scaling.everything())]
    parts += [made_up_decoders.tasks_study().study, made_up_decoders.texts_study().study]
    runs = pd.concat([*(part.runs for part in parts), pd.DataFrame(made_up_ends.runs())], ignore_index=True)
    values = {name: value for part in parts for name, value in part.histories.values.items()}
    return Study("made up", runs, Histories(values))


def forced() -> Study:
    """A grid over batches of whole calls with the lean head, which the cost model predicts as well: LLaMA takes 100 ms
    at each batch, a step of LLaDA's 2 ms a row."""
    place = {"stop": "length", "prompts": 4}
    rows = []
    for batch in (1, 4, 8):
        rows.append(made_up_scaling.run("batch", "llama", 100, batch_size=batch, **place))
        rows += [
            made_up_scaling.run(
                "batch", "llada", 2 * batch * steps, batch_size=batch, steps=steps, head="lean", **place
            )
            for steps in (16, 64)
        ]
    return made_up_scaling.study_of(rows)


def shapes() -> Study:
    """8B shapes with random weights: no quality."""
    return made_up_decoders.shapes_study().study


def found(study: Study) -> tuple[Findings, Selection]:
    """What is found in a study, and what of it a report shows."""
    findings = findings_of(study)
    return findings, select(findings)
