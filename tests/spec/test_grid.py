"""Grids and pairs: what loads, what is refused and how, which cells come out."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.common import paths
from bench.data import prompts
from bench.data.prompt import Prompt
from bench.spec import expand, grid, rules
from bench.spec import pair as spec_pair
from tests.support.refusals import refusal

GRIDS = sorted(str(file) for file in grid.GRIDS.glob("*.yaml"))
PAIRS = sorted(str(file) for file in spec_pair.PAIRS.glob("*.yaml"))
GOOD = {"kind": "mine", "model": "llada"}
TOKENIZER = "bench/pocket/tokenizer"
ASKED = tuple(Prompt(f"question {i}", None, {"llama": [i], "llada": [i]}) for i in range(3))


def model_dir(folder: Path, kind: str) -> str:
    folder.mkdir(parents=True)
    shutil.copy(f"bench/pocket/{kind}/config.json", folder)
    (folder / "model.safetensors").symlink_to(Path(f"bench/pocket/{kind}/model.safetensors").resolve())
    return str(folder)


@pytest.fixture
def pair_file(tmp_path) -> Path:
    """A pair of fake checkpoints with the pocket tokenizer, asked three prompts of its own."""
    models = {
        kind: {"weights": model_dir(tmp_path / kind, kind), "tokenizer": TOKENIZER} for kind in ("llama", "llada")
    }
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps({"prompt": prompt.text}) + "\n" for prompt in ASKED))
    limits = {"dtype": "float32", "primary_metric": "bertscore_f1", "margin": 0.1, "prompts": {"source": str(asked)}}
    return write(tmp_path / "fake.yaml", {"name": "fake"} | models | limits)


def write(file: Path, data: dict) -> Path:
    file.write_text(yaml.safe_dump(data))
    return file


def grid_file(tmp_path: Path, **keys) -> str:
    return str(write(tmp_path / "grid.yaml", GOOD | keys))


def cells(tmp_path: Path, pair_file: Path, **keys) -> list:
    name = grid_file(tmp_path, **keys)
    return expand.cells_of(grid.read_grid(name, {}), spec_pair.read_pair(str(pair_file)), "cpu", ASKED, "hash", name)


@pytest.mark.parametrize("file", GRIDS)
def test_shipped_grid_gives_cells(file, pair_file):
    read = grid.read_grid(file, {})
    assert read == grid.read_grid(Path(file).stem, {})
    pair = spec_pair.read_pair(str(pair_file))
    spanned = []
    for part in expand.by_prompts(read):
        asked = (ASKED * part.prompts)[: part.prompts]
        spanned += expand.cells_of(part, pair, "cpu", asked, "hash", file)
    assert {cell.model for cell in spanned} == set(map(pair.kind_of, expand.as_list(read.model)))
    assert {cell.kind for cell in spanned} == {read.kind}


@pytest.mark.parametrize("file", PAIRS)
def test_shipped_pair_is_named_as_its_file(file):
    pair = spec_pair.read_pair(Path(file).stem)
    assert pair == spec_pair.read_pair(file)
    assert pair.name == Path(file).stem


def test_baseline_sweep_smoke_and_pocket_ship():
    assert {Path(file).stem for file in GRIDS} >= {"baseline", "smoke", "sweep"}
    assert "configs/pairs/pocket.yaml" in PAIRS


@pytest.mark.parametrize(
    ("keys", "key", "rule"),
    [
        ({"stepz": 3}, "stepz", "not permitted"),
        ({"block-length": 4}, "block-length", "not permitted"),
        ({1: 2}, "1", ""),
        ({"steps": "many"}, "steps", "valid integer"),
        ({"steps": [4, "many"]}, "steps.1", "valid integer"),
        ({"gen_length": 2.0}, "gen_length", "valid integer"),
        ({"prompts": True}, "prompts", "valid integer"),
        ({"batch_size": None}, "batch_size", "valid integer"),
        ({"kind": 5}, "kind", "valid string"),
        ({"model": "bert"}, "model", "'llama' or 'llada'"),
        ({"model": ["llama", "bert"]}, "model.1", "'llama' or 'llada'"),
        ({"model": 5}, "model", "valid string"),
        ({"model": []}, "model", ""),
        ({"steps": 0}, "steps", "greater than or equal to 1"),
        ({"steps": [4, 0]}, "steps.1", "greater than or equal to 1"),
        ({"steps": []}, "steps", "at least 1"),
        ({"prompts": 0}, "prompts", "greater than or equal to 1"),
        ({"temperature": -0.1}, "temperature", "greater than or equal to 0"),
        ({"temperature": float("nan")}, "temperature", ""),
        ({"stop": "never"}, "stop", "'eos', 'length' or 'references'"),
        ({"time_limit_s": 0}, "time_limit_s", "greater than 0"),
        ({"time_limit_s": 1e10}, "time_limit_s", "less than or equal to 2592000"),
        ({"time_limit_s": float("inf")}, "time_limit_s", "less than or equal to 2592000"),
        ({"seed": 1 << 31}, "seed", "less than"),
    ],
)
def test_refused_value_names_file_key_and_rule(tmp_path, keys, key, rule):
    name = str(write(tmp_path / "grid.yaml", GOOD | keys))
    text = refusal(grid.read_grid, name, {})
    assert text.startswith(f"{name}: {key}: ")
    assert rule in text


def test_unknown_key_lists_the_known_ones(tmp_path):
    text = refusal(grid.read_grid, grid_file(tmp_path, stepz=3), {})
    assert text.endswith("known keys: " + ", ".join(grid.GridFile.model_fields))


@pytest.mark.parametrize("key", ["kind", "model"])
def test_missing_key_is_named(tmp_path, key):
    name = str(write(tmp_path / "grid.yaml", {k: v for k, v in GOOD.items() if k != key}))
    assert refusal(grid.read_grid, name, {}) == f"{name}: {key}: Field required"


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "- 1\n- 2\n", "sweep"])
def test_file_without_keys_is_refused(tmp_path, text):
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    said = refusal(grid.read_grid, str(file), {})
    assert said.startswith(f"{file}: ")
    assert "must be a mapping of keys to values" in said


@pytest.mark.parametrize("text", [b"steps: [", b"a: b: c", b"kind: 'x", b"kind: !!python/name:os.system x", b"\xff: 1"])
def test_file_that_is_no_yaml_is_refused(tmp_path, text):
    file = tmp_path / "grid.yaml"
    file.write_bytes(text)
    assert refusal(grid.read_grid, str(file), {}).startswith(f"{file}: not ")


@pytest.mark.parametrize("name", ["nowhere", "some/nowhere.yaml"])
def test_missing_grid_lists_those_there_are(name):
    text = refusal(grid.read_grid, name, {})
    assert "nowhere.yaml: no such grid; there are: " in text
    assert (
        "attention, baseline, batch, batch-8, batch-few, corners, decoders, decoders-few, decoders-tasks, ends" in text
    )


def test_missing_pair_lists_those_there_are():
    text = refusal(spec_pair.read_pair, "nowhere")
    assert text.startswith("configs/pairs/nowhere.yaml: no such pair; there are: ")
    assert "pocket" in text


@pytest.mark.parametrize(
    ("keys", "key", "rule"),
    [
        ({"dtype": "int8"}, "dtype", "'float32', 'bfloat16' or 'float16'"),
        ({"margin": -1}, "margin", "greater than or equal to 0"),
        ({"llama": {"tokenizer": "x"}}, "llama.weights", "Field required"),
        ({"llada": "x"}, "llada", ""),
        ({"prompts": {"max_prompt_tokens": 0}}, "prompts.max_prompt_tokens", "greater than or equal to 1"),
        ({"prompts": {"max_tokens": 64}}, "prompts.max_tokens", "max_prompt_tokens"),
    ],
)
def test_refused_pair_names_file_key_and_rule(pair_file, keys, key, rule):
    write(pair_file, yaml.safe_load(pair_file.read_text()) | keys)
    text = refusal(spec_pair.read_pair, str(pair_file))
    assert text.startswith(f"{pair_file}: {key}: ")
    assert rule in text


def resolve(grids: list[str], pair_file: Path, overrides: dict | None = None, model: str | None = None):
    pair = spec_pair.place_model(spec_pair.read_pair(str(pair_file)), model)
    return expand.resolve([grid.read_grid(name, overrides or {}) for name in grids], grids, pair, "cpu", None)


def test_missing_model_directory_is_named(tmp_path, pair_file):
    gone = str(tmp_path / "gone")
    write(pair_file, yaml.safe_load(pair_file.read_text()) | {"llada": {"weights": gone}})
    text = refusal(resolve, [grid_file(tmp_path)], pair_file)
    assert text.startswith(f"{gone}: no model there (config.json is missing)")


def test_models_the_wrong_way_round_are_refused(tmp_path, pair_file):
    data = yaml.safe_load(pair_file.read_text())
    write(pair_file, data | {"llama": data["llada"], "llada": data["llama"]})
    text = refusal(resolve, [grid_file(tmp_path)], pair_file)
    assert text == f"{tmp_path / 'llada'}: holds a llada model where pair fake wants a llama"


def test_own_model_replaces_the_one_of_its_kind(tmp_path, pair_file):
    mine = model_dir(tmp_path / "mine", "llada")
    pair, placed = spec_pair.read_pair(str(pair_file)), spec_pair.place_model(spec_pair.read_pair(str(pair_file)), mine)
    assert placed.models["llada"].weights == mine
    assert placed.models["llama"] == pair.models["llama"]
    assert spec_pair.place_model(pair, None) == pair
    assert "no model there" in refusal(spec_pair.place_model, pair, str(tmp_path / "gone"))


@pytest.mark.parametrize("text", ["", "  ", ",", "0", "4 0", "-4", "+4", "1.5", "1e3", "four", "4 8 x", "4;8", "²"])
def test_bad_whole_numbers_are_refused(text):
    said = refusal(grid.whole_numbers, text, "STEPS")
    assert said.startswith(f'STEPS="{text}": expected whole numbers above 0')


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("16", [16]), ("16 64 256", [16, 64, 256]), ("256,16, 64", [16, 64, 256]), (" 4\t4 08\n", [4, 8])],
)
def test_good_whole_numbers_are_sorted_and_distinct(text, numbers):
    assert grid.whole_numbers(text, "STEPS") == numbers


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=1))
def test_whole_numbers_reads_what_was_written(numbers):
    assert grid.whole_numbers(" ".join(map(str, numbers)), "STEPS") == sorted(set(numbers))


def test_length_must_be_whole_blocks(tmp_path, pair_file):
    text = refusal(lambda: cells(tmp_path, pair_file, gen_length=100, block_length=32, steps=8))
    assert text == f"{tmp_path / 'grid.yaml'}: gen_length 100 is not a multiple of block_length 32"


def test_steps_must_be_shared_by_the_blocks(tmp_path, pair_file):
    text = refusal(lambda: cells(tmp_path, pair_file, gen_length=128, block_length=32, steps=[8, 10]))
    assert text.startswith(f"{tmp_path / 'grid.yaml'}: steps 10 cannot be shared by 4 blocks")
    assert text.endswith("use a multiple of 4, such as 8")


@settings(deadline=None)
@given(st.integers(1, 64), st.integers(1, 16), st.integers(0, 2), st.integers(1, 256))
def test_divisibility_refuses_exactly_the_indivisible(block, blocks, extra, steps):
    gen = block * blocks + extra
    good = gen % block == 0 and steps % (gen // block) == 0
    if good:
        rules.check_divisibility(gen, block, steps, "here")
        return
    text = refusal(rules.check_divisibility, gen, block, steps, "here")
    assert text.startswith("here: ")
    if gen % block == 0:
        proposed = int(text.rsplit(" ", 1)[1])
        assert proposed > 0
        rules.check_divisibility(gen, block, proposed, "here")


def test_block_longer_than_the_answer_is_refused():
    assert "gen_length 16 is not a multiple of block_length 32" in refusal(rules.check_divisibility, 16, 32, 8, "here")


def test_lists_span_their_product(tmp_path, pair_file):
    spanned = cells(tmp_path, pair_file, gen_length=[16, 32], block_length=[8, 16], steps=[4, 8], batch_size=[1, 2])
    shapes = [(c.gen_length, c.block_length, c.steps, c.batch_size) for c in spanned]
    assert shapes == [(g, b, s, n) for g in (16, 32) for b in (8, 16) for s in (4, 8) for n in (1, 2)]
    assert len({cell.cell_id for cell in spanned}) == 16


def test_llama_is_one_cell_over_all_diffusion_axes(tmp_path, pair_file):
    spanned = cells(tmp_path, pair_file, model=["llama", "llada"], gen_length=16, block_length=[8, 16], steps=[4, 8])
    assert [cell.model for cell in spanned] == ["llama"] + 4 * ["llada"]
    llama, llada = spanned[0], spanned[1]
    for name in ("steps", "block_length", "sampler", "remasking", "cache"):
        assert getattr(llama, name) is None
        assert getattr(llada, name) is not None


def test_diffusion_rules_do_not_bind_llama(tmp_path, pair_file):
    [cell] = cells(tmp_path, pair_file, model="llama", gen_length=100, block_length=32, steps=[3, 7])
    assert (cell.gen_length, cell.steps) == (100, None)


def test_repeated_values_are_one_cell(tmp_path, pair_file):
    assert len(cells(tmp_path, pair_file, steps=[8, 8, 16, 8])) == 2


def test_cell_carries_grid_and_pair(tmp_path, pair_file):
    [cell] = cells(tmp_path, pair_file, steps=8, stop="length", temperature=0.5, seed=7, repeat_prompts=9)
    assert (cell.pair, cell.kind, cell.dtype, cell.device) == ("fake", "mine", "float32", "cpu")
    assert (cell.weights, cell.tokenizer) == (str(tmp_path / "llada"), TOKENIZER)
    assert (cell.stop, cell.temperature, cell.seed) == ("length", 0.5, 7)
    assert (cell.prompts, cell.repeat_prompts, cell.prompt_hash) == (3, 3, "hash")


def test_stop_is_the_pairs_unless_the_grid_says(tmp_path, pair_file):
    write(pair_file, yaml.safe_load(pair_file.read_text()) | {"stop": "length", "primary_metric": None})
    assert [cell.stop for cell in cells(tmp_path, pair_file, steps=8)] == ["length"]
    assert [cell.stop for cell in cells(tmp_path, pair_file, steps=8, stop="eos")] == ["eos"]


def test_end_of_turn_suppression_needs_the_token(tmp_path, pair_file):
    text = refusal(lambda: cells(tmp_path, pair_file, confidence_eos_eot="official"))
    assert text.startswith(f"{tmp_path / 'grid.yaml'}: confidence_eos_eot needs a tokenizer with <|eot_id|>")


def test_folded_ids_stay_below_the_limit():
    plain = spec_pair.ModelFile(weights="x", tokenizer=TOKENIZER).encode("What is it?")
    folded = spec_pair.ModelFile(weights="x", tokenizer=TOKENIZER, fold_ids_below=50).encode("What is it?")
    assert max(plain) >= 50
    assert folded == [i % 50 for i in plain]
    both = spec_pair.ModelFile(weights="x", tokenizer=TOKENIZER, fold_ids_below=50, shift_ids_by=3)
    assert both.encode("What is it?") == [i % 50 + 3 for i in plain]


def test_a_shift_of_ids_is_part_of_what_a_model_is_called(tmp_path):
    files = spec_pair.ModelFile(weights=model_dir(tmp_path / "llada", "llada"), tokenizer=TOKENIZER)
    names = {files.model_copy(update={"shift_ids_by": shift}).revision() for shift in (None, 3, 4)}
    assert len(names) == 3


def test_overrides_replace_values_of_the_grid(tmp_path):
    name = grid_file(tmp_path, steps=[8, 16], gen_length=64)
    read = grid.read_grid(name, {"steps": [4], "temperature": 0.5})
    assert (read.steps, read.temperature, read.gen_length) == ([4], 0.5, 64)


@pytest.mark.parametrize(("key", "value"), [("prompts", 0), ("gen_length", -1), ("temperature", 11.0), ("nope", 1)])
def test_refused_override_names_its_key(key, value):
    assert f": {key}: " in refusal(grid.read_grid, "sweep", {key: value})


def test_grids_together_share_cells_and_the_longest_prompt_set(tmp_path, pair_file, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "records")
    two = str(write(tmp_path / "two.yaml", GOOD | {"prompts": 2, "steps": [8, 16]}))
    same = str(write(tmp_path / "same.yaml", GOOD | {"prompts": 2, "steps": [16, 32]}))
    three = str(write(tmp_path / "three.yaml", GOOD | {"prompts": 3, "steps": [16]}))
    spanned, sets = resolve([two, same, three], pair_file)
    assert [(cell.steps, cell.prompts) for cell in spanned] == [(8, 2), (16, 2), (32, 2), (16, 3)]
    assert [len(set_) for set_ in sets.values()] == [2, 3]
    assert [prompt.text for prompt in sets[spanned[-1].prompt_hash]] == [prompt.text for prompt in ASKED]
    assert [p.text for p in prompts.stored(spanned[0].prompt_hash)] == [prompt.text for prompt in ASKED[:2]]


def test_prompt_tokens_are_an_axis_with_prompts_of_their_own(tmp_path, pair_file, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "mlruns")
    name = grid_file(tmp_path, stop="length", prompt_tokens=[8, 16], prompts=2, steps=8, model=["llama", "llada"])
    spanned, sets = expand.resolve([grid.read_grid(name, {})], [name], spec_pair.read_pair(str(pair_file)), "cpu", None)
    assert [(cell.prompt_tokens, cell.model) for cell in spanned] == [
        (8, "llama"), (8, "llada"), (16, "llama"), (16, "llada"),
    ]  # fmt: skip
    for cell in spanned:
        assert [len(prompt.ids[cell.model]) for prompt in sets[cell.prompt_hash]] == [cell.prompt_tokens] * 2
    assert prompts.stored(spanned[0].prompt_hash) == sets[spanned[0].prompt_hash]


def test_prompts_that_are_cut_need_forced_length_and_room(tmp_path, pair_file):
    name = grid_file(tmp_path, prompt_tokens=8)
    assert "needs stop: length" in refusal(grid.read_grid, name, {})
    assert "grid.yaml: prompt_tokens 4096 and gen_length 16 are more than the 4096 positions" in refusal(
        lambda: cells(tmp_path, pair_file, prompt_tokens=4096, gen_length=16, block_length=16, steps=4, stop="length")
    )


def test_the_engine_is_an_axis_and_a_captured_one_needs_one_shape(tmp_path, pair_file, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "mlruns")
    one_shape = {
        "stop": "length",
        "prompt_tokens": 8,
        "steps": 8,
        "engine": ["eager", "captured"],
        "model": ["llada", "llama"],
    }
    spanned = cells(tmp_path, pair_file, prompts=2, **one_shape)
    assert [(cell.model, cell.engine) for cell in spanned] == [
        ("llada", "eager"), ("llada", "captured"), ("llama", "eager"), ("llama", "captured"),
    ]  # fmt: skip
    llada, llama = "LLaDA, 8 steps, 128 tokens, batch 1", "LLaMA, 128 tokens, batch 1"
    assert [cell.label for cell in spanned] == [
        llada, f"{llada}, official head, captured", llama, f"{llama}, captured",
    ]  # fmt: skip
    text = refusal(lambda: cells(tmp_path, pair_file, **one_shape, prompts=3, batch_size=2))
    assert "3 prompts in batches of 2 leave 1 over; give a multiple of 2" in text
    ragged = (*ASKED, Prompt("longer", None, {"llama": [1, 2, 3], "llada": [1, 2, 3]}))
    read = grid.read_grid(grid_file(tmp_path, steps=8, engine="captured"), {})
    text = refusal(expand.cells_of, read, spec_pair.read_pair(str(pair_file)), "cpu", ragged, "hash", "mine")
    assert text.startswith("mine: engine captured replays one shape, but the prompts have 1 to 3 tokens; give prompt_")
    assert len(expand.cells_of(read, spec_pair.read_pair(str(pair_file)), "cpu", ASKED, "hash", "mine")) == 1


def test_a_grid_of_tasks_has_its_own_prompts_and_needs_a_pair_that_was_taught_them(tmp_path, pair_file, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "records")
    own = str(write(tmp_path / "own.yaml", GOOD | {"source": "tasks", "prompts": 5, "steps": [8]}))
    asked = str(write(tmp_path / "asked.yaml", GOOD | {"prompts": 3, "steps": [8]}))
    assert "pair fake does not declare the metric accuracy (declared: bertscore_f1)" in refusal(
        resolve, [own], pair_file
    )
    write(pair_file, yaml.safe_load(pair_file.read_text()) | {"secondary_metric": "accuracy"})
    spanned, sets = resolve([own, asked], pair_file)
    assert [len(sets[cell.prompt_hash]) for cell in spanned] == [5, 3]
    assert sets[spanned[0].prompt_hash][0].text.startswith("Copy: ")
    assert spec_pair.read_pair(str(pair_file)).metrics == {"bertscore_f1": 0.1, "accuracy": 0.0}


def test_a_metric_of_random_weights_is_refused(pair_file):
    data = yaml.safe_load(pair_file.read_text())
    write(pair_file, data | {"llada": data["llada"] | {"random_seed": 1}})
    assert "primary_metric does not apply: random weights" in refusal(spec_pair.read_pair, str(pair_file))


def python(*args: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--steps", "four"], 'STEPS="four"'),
        (["--steps", "10"], "configs/grids/sweep.yaml: steps 10"),
        (["--pair", "nowhere"], "configs/pairs/nowhere.yaml"),
        (["--prompts-file", "{tmp}/nowhere.jsonl"], "nowhere.jsonl"),
        (["--prompts-file", "{tmp}/empty.jsonl"], "empty.jsonl"),
        (["--model", "{tmp}/nowhere"], "nowhere"),
        (["--rounds", "0"], "ROUNDS=0"),
        (["--judge", "{tmp}/nowhere"], "JUDGE="),
        (["--judge", "bench/pocket/llama"], "is a contestant here"),
        (["--prompts-file", "{tmp}/unanswered.jsonl"], "unanswered.jsonl, line 1: prompt and reference must be text"),
        (["--device", "banana"], "DEVICE=banana"),
        (["--device", "banana", "--export", "{tmp}/work"], "DEVICE=banana"),
        (["--gen", "many"], "many"),
        (["--gen", "9" * 5000], "invalid int value"),
        (["--steps", "9" * 5000], "expected whole numbers above 0"),
        (["--also", "{tmp}/twice.yaml"], "twice.yaml, line 4: gen_length is given twice (first in line 3)"),
        (["--pair", "{tmp}/twice.yaml"], "twice.yaml, line 4: gen_length is given twice"),
        (["--prompts-file", "{tmp}/long.jsonl"], "with an answer of 128 are more than the 4096 positions"),
        (["--prompts-file", "{tmp}/digits.jsonl"], "digits.jsonl, line 1: not valid JSON (Exceeds the limit"),
        (["--prompts-file", "{tmp}/deep.jsonl"], "deep.jsonl, line 1: not valid JSON (nested too deeply"),
        (["--prompts-file", "{tmp}/unmarked.jsonl"], "unmarked.jsonl: not text (it holds zero bytes"),
    ],
)
def test_bad_input_ends_in_one_line_and_status_2(tmp_path, args, said):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "unanswered.jsonl").write_text('{"prompt": "Why?", "reference": " "}\n')
    (tmp_path / "twice.yaml").write_text("kind: baseline\nmodel: llama\ngen_length: 32\ngen_length: 64\n")
    long = "word " * 6000
    (tmp_path / "long.jsonl").write_text(json.dumps({"prompt": "Why?"}) + "\n" + json.dumps({"prompt": long}) + "\n")
    (tmp_path / "digits.jsonl").write_text('{"prompt": "a", "id": ' + "9" * 5000 + "}")
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    (tmp_path / "unmarked.jsonl").write_bytes('{"prompt": "a"}'.encode("utf-16-le"))
    filled = [arg.format(tmp=tmp_path) for arg in args]
    done = python("-m", "bench.run", "configs/grids/sweep.yaml", "--device", "cpu", *filled, "--plan")
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_parent_does_not_import_torch():
    done = python("-c", "import sys, bench.run, bench.spec.grid; print('torch' in sys.modules)")
    assert (done.stdout, done.returncode) == ("False\n", 0)


SCALING = {"stop": "length", "prompt_tokens": 8, "block_length": 16, "prompts": 1}


def resolved(tmp_path: Path, pair_file: Path, monkeypatch, pair: str | None = None, **keys) -> list:
    monkeypatch.setattr(paths, "ROOT", tmp_path / "mlruns")
    name = grid_file(tmp_path, **(SCALING | keys))
    read = grid.read_grid(name, {}, pair)
    return expand.resolve([read], [name], spec_pair.read_pair(str(pair_file)), "cpu", None)[0]


def test_calls_give_each_batch_its_prompts_and_every_round_times_all_of_them(tmp_path, pair_file, monkeypatch):
    spanned = resolved(tmp_path, pair_file, monkeypatch, calls=2, batch_size=[1, 3], gen_length=32, steps=32)
    assert [(c.batch_size, c.prompts, c.repeat_prompts) for c in spanned] == [(1, 2, 2), (3, 6, 6)]
    assert len({c.prompt_hash for c in spanned}) == 2


def test_a_part_is_run_where_it_is_less_than_all_and_one_cell_a_model_is_whole(tmp_path, pair_file, monkeypatch):
    spanned = resolved(
        tmp_path, pair_file, monkeypatch, model=["llama", "llada"], gen_length=[32, 64], tokens_per_step=[1, 16],
        steps_timed=4, tokens_timed=8,
    )  # fmt: skip
    assert [(c.model, c.gen_length, c.steps, c.timed) for c in spanned] == [
        ("llama", 32, None, None), ("llada", 32, 32, None),  # whole
        ("llama", 32, None, 8), ("llama", 64, None, 8),
        ("llada", 32, 32, 4), ("llada", 32, 2, None), ("llada", 64, 64, 4), ("llada", 64, 4, None),
    ]  # fmt: skip
    assert len({c.cell_id for c in spanned}) == len(spanned)


def whole_places(cells):
    """(model, head, batch, length, steps) of the cells that run all their forwards where others run a part."""
    timed = {(c.model, c.head, c.batch_size, c.gen_length, c.steps) for c in cells if c.timed}
    return [
        place
        for c in cells
        if not c.timed and (place := (c.model, c.head, c.batch_size, c.gen_length, c.steps)) in timed
    ]


PARTS_OF_CALLS = {
    "model": ["llama", "llada"], "gen_length": [32, 64, 96], "tokens_per_step": 1, "steps_timed": 4, "tokens_timed": 8,
}  # fmt: skip


def test_the_ends_of_an_axis_are_run_whole_for_each_head(tmp_path, pair_file, monkeypatch):
    keys = PARTS_OF_CALLS | {"head": ["official", "lean"], "whole": "ends"}
    assert set(whole_places(resolved(tmp_path, pair_file, monkeypatch, **keys))) == {
        ("llama", None, 1, 32, None), ("llama", None, 1, 96, None),
        ("llada", None, 1, 32, 32), ("llada", None, 1, 96, 96),
        ("llada", "lean", 1, 32, 32), ("llada", "lean", 1, 96, 96),
    }  # fmt: skip


def test_the_corners_of_two_axes_are_run_whole_with_the_fewest_steps(tmp_path, pair_file, monkeypatch):
    """At 32 tokens LLaDA has a run of as many steps as are timed, which is whole by itself: its corners begin there
    with the other number of steps."""
    keys = PARTS_OF_CALLS | {"batch_size": [1, 2, 3], "calls": 1, "tokens_per_step": [1, 8], "whole": "ends"}
    spanned = resolved(tmp_path, pair_file, monkeypatch, **keys)
    corners = {(batch, length) for batch in (1, 3) for length in (32, 96)}
    steps = {32: 32, 96: 12}
    assert set(whole_places(spanned)) == {
        *(("llama", None, *corner, None) for corner in corners),
        *(("llada", None, *corner, steps[corner[1]]) for corner in corners),
    }
    assert len({cell.cell_id for cell in spanned}) == len(spanned)


@pytest.mark.parametrize(("whole", "count"), [(True, 2), (False, 0), ("ends", 4)])
def test_a_grid_says_which_cells_run_whole_as_well(whole, count, tmp_path, pair_file, monkeypatch):
    spanned = resolved(tmp_path, pair_file, monkeypatch, **(PARTS_OF_CALLS | {"whole": whole}))
    assert len(whole_places(spanned)) == count


def test_first_cells_come_first_and_are_the_same_cells(tmp_path, pair_file, monkeypatch):
    keys = {"gen_length": [16, 32, 64], "tokens_per_step": 1}
    plain = resolved(tmp_path, pair_file, monkeypatch, **keys)
    spanned = resolved(tmp_path, pair_file, monkeypatch, first={"gen_length": [64]}, **keys)
    assert [(c.gen_length, c.first) for c in spanned] == [(64, True), (16, None), (32, None)]
    assert {c.cell_id for c in spanned} == {c.cell_id for c in plain}


def test_a_pair_has_values_of_its_own_in_a_grid(tmp_path, pair_file, monkeypatch):
    keys = {"gen_length": 32, "steps": 32, "pairs": {"fake": {"gen_length": 64}}}
    assert [c.gen_length for c in resolved(tmp_path, pair_file, monkeypatch, "fake", **keys)] == [64]
    assert [c.gen_length for c in resolved(tmp_path, pair_file, monkeypatch, "other", **keys)] == [32]


def test_math_attention_a_limit_and_peaks_are_part_of_what_a_cell_is(tmp_path, pair_file, monkeypatch):
    keys = {"gen_length": 32, "steps": 32}
    [plain] = resolved(tmp_path, pair_file, monkeypatch, **keys)
    of_two = resolved(tmp_path, pair_file, monkeypatch, attention=["sdpa", "math"], **keys)
    assert [c.attention for c in of_two] == [None, "math"]
    assert of_two[0].cell_id == plain.cell_id
    [limited] = resolved(tmp_path, pair_file, monkeypatch, limit_gib=2.0, peaks_only=True, **keys)
    assert (limited.limit_gib, limited.peaks_only) == (2.0, True)
    assert len({c.cell_id for c in (*of_two, limited)}) == 3


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"steps_timed": 4}, "steps_timed: such cells are timed, not scored; it needs stop: length"),
        ({"calls": 4, "stop": "eos"}, "calls: such cells are timed, not scored; it needs stop: length"),
        ({"tokens_timed": 3, "stop": "length"}, "tokens_timed: Input should be greater than or equal to 4"),
        ({"steps_timed": 1, "stop": "length"}, "steps_timed: Input should be greater than or equal to 2"),
        ({"first": {"seed": [1]}}, "first"),
        ({"pairs": {"pocket": {"lenght": 3}}}, "pairs.pocket: lenght is no key of a grid"),
        ({"attention": "flash"}, "attention"),
        ({"whole": "corners"}, "whole"),
        ({"whole": "ends", "peaks_only": True}, "whole: ends checks times, and peaks_only asks for none"),
        ({"limit_gib": 0}, "limit_gib: Input should be greater than 0"),
    ],
)
def test_scaling_keys_that_mean_nothing_are_one_line(keys, words, tmp_path):
    assert words in refusal(grid.read_grid, grid_file(tmp_path, **keys), {})


def test_tokens_per_step_must_divide_the_length(tmp_path, pair_file):
    name = grid_file(tmp_path, tokens_per_step=3, gen_length=32)
    read = grid.read_grid(name, {})
    text = refusal(expand.cells_of, read, spec_pair.read_pair(str(pair_file)), "cpu", ASKED, "hash", name)
    assert "gen_length 32 is not a multiple of tokens_per_step 3" in text


def test_later_rounds_time_whole_batches_again(tmp_path, pair_file, monkeypatch):
    keys = {"gen_length": 32, "steps": 32, "prompts": 16, "repeat_prompts": 4}
    [cell] = resolved(tmp_path, pair_file, monkeypatch, batch_size=8, **keys)
    assert cell.repeat_prompts == 8
    [cell] = resolved(tmp_path, pair_file, monkeypatch, batch_size=1, **keys)
    assert cell.repeat_prompts == 4


def test_plain_attention_on_the_captured_engine_is_refused(tmp_path, pair_file, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "mlruns")
    one_shape = {"stop": "length", "prompt_tokens": 8, "steps": 8, "engine": "captured", "prompts": 2}
    text = refusal(lambda: cells(tmp_path, pair_file, **one_shape, attention=["sdpa", "math"]))
    assert text.endswith("attention math is compared on transformers' own modules; give engine: eager")
    assert len(cells(tmp_path, pair_file, **one_shape)) == 1


def test_weights_of_other_values_are_made_from_a_seed_and_never_scored(tmp_path, pair_file):
    own, heavy = cells(tmp_path, pair_file, stop="length", fill=["own", "heavy-tailed"])
    assert (own.fill, own.random_seed, heavy.fill, heavy.random_seed) == (None, None, "heavy-tailed", 0)
    assert own.revision != heavy.revision
    text = refusal(lambda: cells(tmp_path, pair_file, fill="zero"))
    assert "fill: weights of other values are timed, not scored; it needs stop: length" in text
