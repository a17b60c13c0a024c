"""What config.json describes is what both engines compute: the texts of transformers' generate(), or a refusal by key.

Random tiny configurations of all that a LLaMA can ask for: captured equals eager equals generate(), or the captured
engine refuses by the name of a key. LLaDA has no generate() in transformers; its engines must agree with each other.
"""

import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from bench.adapters import registry
from bench.common.errors import BadInput
from bench.models import llama
from tests.conftest import make_cell
from tests.support.model_directory import LLADA, LLAMA, tensors_of, write_config

PROMPTS = [[5, 9, 30, 12, 7, 3], [8, 8, 21, 40, 2, 60]]  # of one length, as the captured engine wants them
TOKENS = 16
TINY = LLAMA | {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 24}
few_examples = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def write_random(folder: Path, config: dict) -> Path:
    """A directory of this configuration with weights large enough that every part of the model moves the text."""
    write_config(folder, config)
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in tensors_of(config).items():
        spread = torch.randn(shape, generator=generator)
        is_norm = len(shape) == 1 and not name.endswith(".bias")
        tensors[name] = 1 + 0.2 * spread if is_norm else 0.4 * spread
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def answers(kind: str, folder: Path, engine: str, **changes) -> list[list[int]]:
    """What an engine generates, each row up to its first end token."""
    adapter = registry.create(kind)
    cell = make_cell(kind, weights=str(folder), engine=engine, gen_length=TOKENS, batch_size=2, **changes)
    adapter.load(cell)
    adapter.prepare([PROMPTS])
    output = adapter.generate(PROMPTS, lambda mark: None)
    return [row[:kept] for row, kept in zip(output.sequences.tolist(), output.kept, strict=True)]


def of_transformers(folder: Path) -> list[list[int]]:
    """The greedy texts of transformers' own generate(), each up to its first end token."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        row = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False,
                             pad_token_id=0)[0, len(prompt) :].tolist()  # fmt: skip
        rows.append(row[: row.index(1) + 1] if 1 in row else row)
    return rows


def is_captured(config: dict) -> bool:
    """Whether the statement of LLaMA says that the captured engine computes a configuration."""
    table = config.get("rope_scaling") or config.get("rope_parameters") or {}
    described = config | {"rope_type": table.get("rope_type", table.get("type", "default"))}
    return all(described.get(key, values[0]) in values for key, values in llama.CAPTURED.items())


def compare(config: dict) -> None:
    """Every engine gives the texts of generate(), or the captured one refuses by the name of a key that it lacks."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_random(Path(name), config)
        expected = of_transformers(folder)
        for engine in ("eager", "generate", "generate-static"):
            assert answers("llama", folder, engine) == expected, engine
        if is_captured(config):
            assert answers("llama", folder, "captured") == expected
            return
        with pytest.raises(BadInput) as caught:
            answers("llama", folder, "captured")
        assert any(f"{key} is " in str(caught.value) for key in llama.CAPTURED)


ROPES = [
    {"rope_type": "default"},
    {"rope_type": "linear", "factor": 4.0},
    {"rope_type": "linear", "factor": 2},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
     "original_max_position_embeddings": 32},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
    {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32, "attention_factor": 1.5},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "longrope", "original_max_position_embeddings": 12, "factor": 4.0},
]  # fmt: skip


@st.composite
def llama_configs(draw) -> dict:
    """A configuration of LLaMA that transformers takes."""
    heads = draw(st.sampled_from([1, 2, 4]))
    width = heads * draw(st.sampled_from([4, 8, 12]))
    config = TINY | {"num_attention_heads": heads, "hidden_size": width}
    config["num_key_value_heads"] = draw(st.sampled_from([n for n in (1, 2, 4) if heads % n == 0]))
    config["num_hidden_layers"] = draw(st.integers(1, 3))
    config["intermediate_size"] = draw(st.sampled_from([8, 20, 33]))
    config["rms_norm_eps"] = draw(st.sampled_from([1e-6, 1e-5, 0.1]))
    head_width = draw(st.sampled_from([None, 4, 6, 10]))
    if head_width is not None:
        config["head_dim"] = head_width
    flags = {"attention_bias": [False, True], "mlp_bias": [False, True], "tie_word_embeddings": [False, True]}
    acts = {"hidden_act": ["silu", "swish", "gelu", "gelu_new", "relu", "relu2", "quick_gelu", "tanh"]}
    for key, values in (flags | acts).items():
        if draw(st.booleans()):
            config[key] = draw(st.sampled_from(values))
    return config | draw_rope(draw, head_width or width // heads)


def draw_rope(draw, head_width: int) -> dict:
    """What a configuration says of its rotary table, in one of the spellings that are in use."""
    rope = dict(draw(st.sampled_from(ROPES)))
    if rope["rope_type"] == "longrope":
        for name in ("short_factor", "long_factor"):
            pairs = head_width // 2
            rope[name] = draw(st.lists(st.sampled_from([1.0, 1.5, 4.0]), min_size=pairs, max_size=pairs))
    theta = draw(st.sampled_from([100.0, 10000.0, 500000]))
    if draw(st.booleans()):
        return {"rope_parameters": rope | {"rope_theta": theta}}
    if draw(st.booleans()):
        rope["type"] = rope.pop("rope_type")
    return {"rope_theta": theta, "rope_scaling": rope}


@given(llama_configs())
@few_examples
def test_captured_equals_eager_equals_generate_or_is_refused_by_name(config):
    compare(config)


LONG = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [3.0] * 4, "factor": 4.0,
        "original_max_position_embeddings": 12}  # fmt: skip


@pytest.mark.parametrize("changes", [
    {"attention_bias": True}, {"mlp_bias": True}, {"attention_bias": True, "mlp_bias": True}, {"hidden_act": "gelu"},
    {"hidden_act": "swish"}, {"head_dim": 12}, {"tie_word_embeddings": True}, {"rms_norm_eps": 0.5},
    {"num_key_value_heads": 1}, {"rope_theta": 50.0}, {"rope_scaling": LONG},
    *({"rope_scaling": rope} for rope in ROPES[:-1]),
    {"unsloth_version": "2025.1", "pretraining_tp": 2, "torch_dtype": "float16"},
], ids=str)  # fmt: skip
def test_each_thing_that_a_configuration_can_ask_for(changes):
    compare(TINY | changes)


def test_the_text_depends_on_what_is_compared(tmp_path):
    """Otherwise equal texts would say nothing."""
    changes = [{}, {"attention_bias": True}, {"mlp_bias": True}, {"hidden_act": "gelu"}, {"rms_norm_eps": 0.5},
               {"rope_theta": 50.0}, {"rope_scaling": LONG}, {"rope_scaling": {"type": "linear", "factor": 4.0}},
               {"rope_scaling": ROPES[4]}]  # fmt: skip
    texts = {
        json.dumps(answers("llama", write_random(tmp_path / str(i), TINY | change), "eager"))
        for i, change in enumerate(changes)
    }
    assert len(texts) == len(changes)


@st.composite
def llada_configs(draw) -> dict:
    """A configuration of LLaDA that this benchmark computes."""
    heads = draw(st.sampled_from([1, 2, 4]))
    config = LLADA | {"n_heads": heads, "d_model": heads * draw(st.sampled_from([4, 8, 12])), "vocab_size": 64}
    config["n_layers"] = draw(st.integers(1, 3))
    config["mlp_hidden_size"] = draw(st.sampled_from([8, 20, 33]))
    config["n_kv_heads"] = draw(st.sampled_from([None, *(n for n in (1, 2, 4) if heads % n == 0)]))
    config["embedding_size"] = draw(st.sampled_from([None, 64, 72]))
    config["rope_theta"] = draw(st.sampled_from([100.0, 500000]))
    config["rms_norm_eps"] = draw(st.sampled_from([1e-5, 0.1]))
    config["weight_tying"] = draw(st.booleans())
    config["rope_full_precision"] = draw(st.booleans())
    return config


@given(llada_configs(), st.sampled_from(["official", "lean", "official-old"]))
@few_examples
def test_both_engines_give_the_same_llada(config, head):
    with tempfile.TemporaryDirectory() as name:
        folder = write_random(Path(name), config)
        eager, captured = (answers("llada", folder, engine, head=head) for engine in ("eager", "captured"))
        assert captured == eager


def test_a_loaded_model_is_refused_too_when_the_engine_changes(tmp_path):
    folder = write_random(tmp_path, TINY | {"mlp_bias": True})
    adapter = registry.create("llama")
    adapter.load(make_cell("llama", weights=str(folder)))
    with pytest.raises(BadInput, match="mlp_bias is True, which engine captured does not compute"):
        adapter.load(make_cell("llama", weights=str(folder), engine="captured"))
