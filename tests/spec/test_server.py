"""A pair whose model is behind an address: its file, its cells, and what of the grids it can be asked."""

import json
from pathlib import Path

import pytest
import yaml

from bench.common import paths
from bench.common.errors import BadInput
from bench.models import checkpoint, server_look
from bench.runner import plan, request
from bench.runner.request import Request
from bench.spec import expand, grid
from bench.spec import pair as spec_pair
from bench.store.sink import Sink
from tests.conftest import REPO
from tests.support.fake_server import Behaviour, serving

TOKENIZER = "bench/pocket/tokenizer"
LLADA = {"weights": "bench/pocket/llada", "tokenizer": TOKENIZER}
ADDRESS = "http://127.0.0.1:8000/v1"


@pytest.fixture(autouse=True)
def keep_prompts_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "mlruns")


def read(tmp_path: Path, name: str = "mine", scored: bool = False, **llama: object) -> spec_pair.PairFile:
    """The pair of a file whose LLaMA has these keys."""
    file = tmp_path / f"{name}.yaml"
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"prompt": "What is it?", "reference": "It is this."}\n{"prompt": "Why?", "reference": "So."}\n')
    keys = {"tokenizer": TOKENIZER} | llama
    keys = {key: value for key, value in keys.items() if value is not None}
    pair = {"name": name, "llama": keys, "llada": LLADA, "dtype": "float32", "prompts": {"source": str(asked)}}
    file.write_text(yaml.safe_dump(pair | ({"primary_metric": "bertscore_f1", "margin": 0.1} if scored else {})))
    return spec_pair.read_pair(str(file))


def cells(
    does: Behaviour, tmp_path: Path, kind: str = "baseline", name: str = "mine", server: dict | None = None, **values
):
    pair = read(tmp_path, name, server={"address": does.address} | (server or {}))
    asked = grid.read_grid(kind, {"prompts": 2, **values}, pair.name)
    return expand.resolve([asked], [kind], pair, "cpu", None)[0]


def test_an_address_may_stand_alone(tmp_path):
    files = read(tmp_path, server=ADDRESS).models["llama"]
    assert (files.weights, files.server.address, files.server.model) == (ADDRESS, ADDRESS, None)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"server": ADDRESS, "weights": "x"}, "llama: weights: does not go with server"),
        ({"server": ADDRESS, "random_seed": 0}, "llama: random_seed: does not go with server"),
        ({"server": ADDRESS, "tokenizer": None}, "llama: tokenizer: a server's model needs a directory"),
        ({"server": "https://api.example.com/v1"}, "llama.server: https://api.example.com/v1: is not on this machine"),
        ({"server": "http://me:pass@127.0.0.1/v1"}, "llama.server: the address holds a name or a password"),
        ({"server": {"address": ADDRESS, "key": "sk-secret"}}, "llama.server.key: Extra inputs are not permitted"),
        ({"server": {"model": "x"}}, "llama.server.address: Field required"),
        ({"server": {"address": ADDRESS, "extra_body": {"max_tokens": 5}}}, "max_tokens is decided by the cells"),
        ({"server": {"address": ADDRESS, "extra_body": 5}}, "llama.server.extra_body: must be a mapping"),
        ({"server": 5}, "llama.server: Input should be"),
    ],
)
def test_a_file_that_says_it_wrongly_is_refused_in_one_line(tmp_path, keys, words):
    with pytest.raises(BadInput) as refusal:
        read(tmp_path, **keys)
    [line] = str(refusal.value).splitlines()
    assert line.startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert words in line


def test_another_machine_may_be_named(tmp_path):
    files = read(tmp_path, server={"address": "https://api.example.com/v1", "allow_remote": True}).models["llama"]
    assert files.server.asked.address == "https://api.example.com/v1"


def test_a_cell_states_the_server_and_nothing_that_it_does_not_tell(tmp_path):
    with serving() as does:
        [cell] = cells(does, tmp_path)
    assert (cell.model, cell.engine, cell.device, cell.dtype) == ("llama", "server", "server", "unstated")
    assert json.loads(cell.server) == {"address": does.address, "model": "fake", "takes_ids": True}
    assert cell.weights == does.address
    assert cell.label == "LLaMA, server"


def test_cells_of_different_servers_have_different_ids(tmp_path):
    with serving() as one, serving() as other:
        ids = [cells(does, tmp_path)[0].cell_id for does in (one, other)]
        one.version = "2"
        server_look.look.cache_clear()
        ids.append(cells(one, tmp_path)[0].cell_id)
        forced = cells(one, tmp_path, server={"forced_length": {"ignore_eos": True}})[0].cell_id
        again = cells(one, tmp_path)[0].cell_id
    assert len({*ids, forced}) == 4
    assert again == ids[2]


def test_a_key_is_no_part_of_a_cells_name(tmp_path, monkeypatch):
    monkeypatch.setenv("OWN_KEY", "sk-do-not-tell")
    with serving() as does:
        [plain], [keyed] = (cells(does, tmp_path, server=keys) for keys in ({}, {"api_key_env": "OWN_KEY"}))
    assert keyed.api_key_env == "OWN_KEY"
    assert plain.cell_id == keyed.cell_id
    assert "sk-do-not-tell" not in json.dumps(keyed.settings())


def test_engines_and_precisions_of_ours_span_one_cell_of_a_server(tmp_path):
    with serving() as does:
        values = {"engine": ["eager", "generate"], "dtype": ["float32", "bfloat16"]}
        assert len(cells(does, tmp_path, **values)) == 1


def test_a_server_is_asked_for_no_memory_and_no_part_of_a_call(tmp_path):
    server = {"forced_length": {"ignore_eos": True}}
    with serving() as does:
        sized = cells(does, tmp_path, "batch", "pocket-server", server=server)
        kinds = {cell.model for cell in cells(does, tmp_path, "memory", "pocket-server", server=server)}
    of_server = [cell for cell in sized if cell.server]
    assert sorted(cell.batch_size for cell in of_server) == [1, 4, 8, 16, 32]
    assert {cell.timed for cell in of_server} == {None}
    assert any(cell.timed for cell in sized if not cell.server)
    assert kinds == {"llada"}


def test_a_forced_length_needs_a_word_to_the_server(tmp_path):
    with serving() as does, pytest.raises(BadInput, match=r"give forced_length: \{ignore_eos: true\} there"):
        cells(does, tmp_path, "batch")


def test_a_prompt_that_is_too_long_for_the_server_is_refused_beforehand(tmp_path, monkeypatch):
    with serving() as does:
        does.more = {"max_model_len": 20}
        with pytest.raises(
            BadInput, match=r"prompt 1 has \d+ tokens, which with an answer of 128 are more than the 20"
        ):
            cells(does, tmp_path)


def test_further_grids_and_sentinels_go_without_a_server_that_cannot_force_a_length(tmp_path):
    with serving() as does:
        pair = read(tmp_path, server={"address": does.address})
        asked = Request(grids=("baseline",), also=("ends",), pair=str(tmp_path / "mine.yaml"))
        grids = request.read_grids(asked, pair)
        assert set(grids) == {"baseline", "sentinel"}
        assert grids["sentinel"].model == ["llada"]
        able = read(tmp_path, server={"address": does.address, "forced_length": {"ignore_eos": True}})
        grids = request.read_grids(asked, able)
        assert set(grids) == {"baseline", "ends", "sentinel"}
        assert grids["sentinel"].model == ["llada", "llama"]


def test_a_work_runs_where_our_models_do_and_is_planned(tmp_path, monkeypatch, capsys):
    with serving() as does:
        read(tmp_path, scored=True, server={"address": does.address, "forced_length": {"ignore_eos": True}})
        asked = Request(
            grids=("baseline", "sweep"), pair=str(tmp_path / "mine.yaml"), device="cpu", overrides={"steps": [4]}
        )
        work, _ = request.resolve(asked)
    assert (work.cells[0].device, work.device, work.product_dtypes) == ("server", "cpu", ("float32",))
    plan.print_plan(work, Sink(work.study))
    assert "llama server" in capsys.readouterr().out


def test_what_needs_weights_is_refused_in_one_line(tmp_path):
    files = read(tmp_path, server=ADDRESS).models["llama"]
    with pytest.raises(BadInput, match="a server does not show the weights"):
        files.describe()
    with pytest.raises(BadInput):
        checkpoint.read(files.weights)


def test_the_shipped_pair_names_a_server_of_this_machine():
    pair = spec_pair.read_pair("pocket-server")
    asked = pair.models["llama"].server.asked
    assert asked.address == "http://127.0.0.1:8000/v1"
    assert asked.api_key_env is None
    own = spec_pair.read_pair("pocket")
    assert pair.models["llada"] == own.models["llada"]
    assert (pair.metrics, pair.prompts) == (own.metrics, own.prompts)
    assert yaml.safe_load((REPO / "configs/grids/batch.yaml").read_text())["pairs"]["pocket-server"]
