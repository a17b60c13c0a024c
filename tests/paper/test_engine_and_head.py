"""Engine and head are two axes: whatever names the engine of LLaDA's runs names their head as well."""

import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from bench.analysis.hypotheses_file import Claim
from bench.analysis.noise import judge
from bench.analysis.scaling import Scaling, scalings
from bench.render import comparison as render_comparison
from bench.render import description, endpoints, hypotheses, noise, wording
from bench.render import scaling as render_scaling
from bench.spec.study_file import Endpoint
from paper import build, decoder_selection, facts
from paper.figures import comparison as figures_comparison
from paper.figures import engines as figures_engines
from paper.figures.write import scaling_title
from paper.selection import Selection
from paper.tables import comparison as tables_comparison
from paper.tables import cost as tables_cost
from paper.tables import scaling as tables_scaling
from tests.support import made_up_comparison, made_up_decoders, made_up_noise
from tests.support.made_up_scaling import run, study_of
from tests.support.paper_text import captions_of_figures, sources

ENGINE = re.compile(r"\b(eager|captured)\b")
BOTH = (("eager", None), ("captured", "lean"))  # engine, and the head that LLaDA has there


def is_of_llada(text: str) -> bool:
    """Whether a text is about LLaDA's runs: LLaMA has no head."""
    return "LLaDA" in text or "LLaMA" not in text


def unnamed(texts: list[str]) -> list[str]:
    """The texts that name an engine of LLaDA's and no head."""
    return [text for text in texts if ENGINE.search(text) and is_of_llada(text) and not re.search(r"\bheads?\b", text)]


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.;:]) |\n", text)


@pytest.fixture
def answers():
    """Comparisons of a study of both engines, where the head differs too, and of LLaMA by transformers' own call."""
    made_up = made_up_comparison.MadeUp()
    runs = pd.DataFrame([made_up.row(None, 500, 0.4), made_up.row(4, 80, 0.2), made_up.row(8, 160, 0.38)]).assign(
        **{"latency/step_ms": 5.0, "git": "abc", "rounds_logged": "1 2", "device": "a CPU", "platform": "cpu"}
    )
    parts = []
    for engine, head in BOTH:
        part = runs.assign(engine=engine, head=[None, head, head], run_id=runs["run_id"] + engine)
        for (run_id, name), values in list(made_up.histories.items()):
            made_up.histories[run_id + engine, name] = values
        parts.append(part)
    alone = runs.head(1).assign(engine="generate-static", run_id="generated")
    return made_up.comparisons(pd.concat([*parts, alone], ignore_index=True))


def groups(*kinds: str) -> dict[str, Scaling]:
    """Groups of each kind with runs on both engines, at one head and at several, and of LLaMA on its further ones."""
    rows = []
    for kind in kinds:
        for batch in (1, 8):
            own = {"batch_size": batch, "platform": "cpu"}
            engines = ("eager", "captured", "generate", "generate-static")
            rows += [run(kind, "llama", 60 + batch, engine=engine, **own) for engine in engines]
            for engine, head in (*BOTH, ("eager", "lean")):
                rows.append(run(kind, "llada", 16 * batch, steps=16, engine=engine, head=head, **own))
    for kind in ("length", "prompt"):  # both engines with one head
        rows += [run(kind, "llama", 60, engine=engine) for engine in ("eager", "captured")]
        rows += [run(kind, "llada", 80, steps=16, engine=e, head="lean") for e in ("eager", "captured")]
    return {scaling.kind: scaling for scaling in scalings(judge(study_of(rows)))}


def test_titles_tables_and_verdicts_of_answers_name_both(answers):
    with_both = [comparison for comparison in answers if not comparison.diffusion.empty]
    assert {wording.comparison_title(comparison).split("greedy, ")[1] for comparison in answers} == {
        "captured engine, lean head", "eager engine, official head", "generate-static (not compiled) engine",
    }  # fmt: skip
    table = tables_comparison.topic_table(
        pd.concat([comparison.every for comparison in answers]), tables_comparison.TOPICS["latency"][1]
    )
    assert "LLaMA, generate-static (not compiled)" in table.index
    assert {"LLaDA, 4 steps, captured, lean head", "LLaDA, 8 steps, eager, official head"} <= set(table.index)
    assert unnamed(list(table.index)) == []
    figure = figures_comparison.step_time(with_both[0], with_both[1:])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    plt.close(figure)
    assert len(legend) == 4
    assert unnamed(legend) == []
    for comparison in with_both:
        caption = tables_comparison.full_caption("Latency.", comparison)
        assert unnamed(sentences(caption)) == []
        assert unnamed([description.comparison_paragraph(comparison)]) == []
        assert wording.comparison_title(comparison).endswith(facts.settings(comparison)["engine_and_head"])


def test_a_model_alone_on_its_own_engine_is_no_comparison_that_waits_for_a_run(answers):
    [alone] = [comparison for comparison in answers if comparison.diffusion.empty]
    assert render_comparison.verdict(alone) == [
        "No verdict: LLaDA has no engine generate-static; compare engines of LLaMA with make engines."
    ]


def test_lines_and_sentences_along_an_axis_name_both():
    of_kind = groups("batch", "engines", "memory")
    texts = []
    for scaling in of_kind.values():
        texts += [wording.scaling_title(scaling), scaling_title(scaling), tables_scaling.caption(scaling)]
        texts += map(wording.line_name, render_scaling.lines_in_order(scaling))
        texts += render_scaling.sentences(scaling)
        texts += list(tables_scaling.table(scaling).index)
    named = [text for text in texts if ENGINE.search(text)]
    assert len(named) > 20
    assert unnamed(named) == []
    assert "LLaDA, official head, eager" in named
    assert "LLaMA, generate-static (not compiled)" in texts
    [time] = [s for s in render_scaling.sentences(of_kind["length"]) if s.startswith("Time: captured")]
    assert time.startswith("Time: captured engine, lean head: LLaDA takes as long as LLaMA with")
    rows = figures_engines.rows_of(of_kind["engines"])
    bars = [row.name for row in rows if row.run is not None]
    assert len(bars) == 2 * (4 + 3)
    assert all("head" in bar for bar in bars if bar.startswith("LLaDA"))  # and the heading above it has the engine
    headings = [row.name.split(",")[0] for row in rows if row.run is None]
    assert set(headings) == {wording.engine_of(run) for _, run in of_kind["engines"].rows.iterrows()}


def test_a_group_on_one_engine_names_its_heads_in_the_title():
    rows = [run("batch", "llada", 5, steps=16, head=head, engine="captured") for head in (None, "lean")]
    [scaling] = scalings(judge(study_of([*rows, run("batch", "llama", 5, engine="captured")])))
    assert wording.scaling_title(scaling).endswith("float32, captured engine, official and lean heads")
    llama = scalings(judge(study_of([run("batch", "llama", 5, engine="captured")])))
    assert wording.scaling_title(llama[0]).endswith("float32, captured engine")


def test_noise_questions_and_claims_name_both():
    rows = [*made_up_noise.runs("batch", "eager"), *made_up_noise.runs("batch", "captured")]
    rows += [*made_up_noise.twins("eager"), *made_up_noise.twins("captured", head="lean")]
    noises = made_up_noise.judged(rows)
    texts = [noise.sentence(n) for n in scalings(noises)[0].noise if n.ratio is not None]
    assert ["(official head)" in texts[0], "(lean head)" in texts[1]] == [True, True]
    texts.append(endpoints.question(Endpoint(quantity="break_even_steps", engine="eager", head="official")))
    claim = Claim(quantity="break_even_steps", gen_length=128, value=100, factor=1.5)
    texts.append(hypotheses.claim_text(claim, "captured"))
    assert unnamed(texts) == []


def test_captions_of_the_report_name_both_or_neither():
    """What stands in the sources; captions with \\num{title_...} get theirs from the functions above."""
    captions = list(captions_of_figures().items())
    assert len(captions) >= 12
    assert unnamed([f"LLaDA {caption}" for _, caption in captions]) == []
    without_title = {name for name, caption in captions if "\\num{title_" not in caption}
    assert without_title == {"roofline", "surface", "noise", "predictions"}  # of all engines; the figure's own title
    assert "\\num{engine_and_head}" in sources()
    assert unnamed([tables_cost.CARDS]) == []


def test_every_title_that_a_caption_asks_for_is_made(answers):
    of_kind = groups("batch", "engines", "memory")
    selection = Selection(None, answers[0], answers[1], tuple(answers[1:2]), of_kind, [])
    titles = build.figure_titles(selection)
    for study in (made_up_decoders.tasks_study(), made_up_decoders.shapes_study()):
        titles |= decoder_selection.titles(study.decoders)
    assert {"title_answers", "title_main", "title_tasks", "title_memory", "title_engines"} <= set(titles)
    assert unnamed([f"LLaDA {text}" for text in titles.values()]) == []
    asked = set(re.findall(r"\\num\{(title_\w+)\}", sources()))
    assert asked <= {*titles, "title_attention", "title_frontier", "title_problems"}
