"""config.json: every key is read, allowed, without effect, or refused by its name, by every engine or by one."""

import json
from pathlib import Path

import pytest
from transformers.activations import ACT2FN

from bench.common.errors import BadInput
from bench.models import checkpoint, llama
from tests.conftest import REPO
from tests.support.model_directory import LLADA, LLAMA, write_config


def refusal(folder: Path, config: dict, engine: str = "eager") -> str:
    """The one line that refuses a configuration."""
    with pytest.raises(BadInput) as caught:
        checkpoint.read(write_config(folder, config), random_seed=0).check_engine(engine)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert text.startswith(f"{folder / 'config.json'}: ")
    return text.removeprefix(f"{folder / 'config.json'}: ")


def accepted(folder: Path, config: dict, engine: str = "captured") -> checkpoint.Checkpoint:
    described = checkpoint.read(write_config(folder, config), random_seed=0)
    described.check_engine(engine)
    return described


DIMENSIONS = {
    "llama": ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
              "max_position_embeddings"),
    "llada": ("d_model", "n_layers", "n_heads", "mlp_hidden_size", "vocab_size", "max_sequence_length"),
}  # fmt: skip
CONFIGS = {"llama": LLAMA, "llada": LLADA}
OF_EACH_KIND = [(kind, key) for kind, keys in DIMENSIONS.items() for key in keys]


@pytest.mark.parametrize(("kind", "key"), OF_EACH_KIND)
def test_a_missing_dimension_is_named(kind, key, tmp_path):
    rest = {name: value for name, value in CONFIGS[kind].items() if name != key}
    assert refusal(tmp_path, rest).startswith(f"{key} is missing")
    assert refusal(tmp_path, rest | {key: None}).startswith(f"{key} is missing")


@pytest.mark.parametrize("value", ["3", 3.0, 0, -1, True, [3], {"a": 1}])
@pytest.mark.parametrize(("kind", "key"), OF_EACH_KIND)
def test_a_dimension_that_is_no_whole_number_is_named(kind, key, value, tmp_path):
    assert refusal(tmp_path, CONFIGS[kind] | {key: value}).startswith(f"{key} is {value!r}; expected a whole number")


STATED = ("rms_norm_eps", "rope_theta", "block_type", "activation_type", "layer_norm_type", "rope")


@pytest.mark.parametrize("key", STATED)
def test_llada_must_state_what_its_authors_code_would_take_otherwise(key, tmp_path):
    assert refusal(tmp_path, {k: v for k, v in LLADA.items() if k != key}).startswith(f"{key} is missing")


@pytest.mark.parametrize(("config", "message"), [
    (LLAMA | {"hidden_size": 9}, "hidden_size 9 is not a multiple of num_attention_heads 2"),
    (LLAMA | {"num_key_value_heads": 3}, "num_attention_heads 2 is not a multiple of num_key_value_heads 3"),
    (LLAMA | {"num_key_value_heads": "2"}, "num_key_value_heads is '2'; expected a whole number"),
    (LLAMA | {"head_dim": 5}, "heads of 5 rows cannot be rotated"),
    (LLAMA | {"head_dim": "4"}, "head_dim is '4'; expected a whole number"),
    (LLAMA | {"rms_norm_eps": "1e-5"}, "rms_norm_eps is '1e-5'; expected a number above 0"),
    (LLAMA | {"rope_theta": -1}, "rope_theta is -1; expected a number above 0"),
    (LLADA | {"rope_theta": float("nan")}, "rope_theta is nan; expected a number above 0"),
    (LLADA | {"d_model": 6}, "heads of 3 rows cannot be rotated"),
    (LLADA | {"head_dim": 8}, "head_dim is 8, but LLaDA has d_model / n_heads"),
    (LLADA | {"multi_query_attention": False, "n_kv_heads": 1}, "multi_query_attention is False, but n_kv_heads 1"),
    (LLADA | {"embedding_size": 0}, "embedding_size is 0; expected a whole number"),
])  # fmt: skip
def test_dimensions_and_numbers_that_do_not_fit_are_named(config, message, tmp_path):
    assert refusal(tmp_path, config).startswith(message)


@pytest.mark.parametrize(("config", "message"), [
    (LLAMA | {"eos_token_id": 32}, "eos_token_id is 32, which is not an id of this vocabulary of 32 tokens"),
    (LLAMA | {"eos_token_id": [1, -1]}, "eos_token_id is -1, which is not an id"),
    (LLAMA | {"eos_token_id": "</s>"}, "eos_token_id is '</s>', which is not an id"),
    (LLAMA | {"eos_token_id": True}, "eos_token_id is True, which is not an id"),
    (LLADA | {"mask_token_id": 32}, "mask_token_id is 32, which is not an id of this vocabulary"),
    (LLADA | {"mask_token_id": None}, "mask_token_id is missing"),
    (LLADA | {"mask_token_id": "<mask>"}, "mask_token_id is missing"),
    ({k: v for k, v in LLADA.items() if k != "mask_token_id"}, "mask_token_id is missing"),
])  # fmt: skip
def test_ids_beyond_the_vocabulary_are_named(config, message, tmp_path):
    assert refusal(tmp_path, config).startswith(message)


def test_rows_beyond_the_tokens_are_ids_too(tmp_path):
    assert accepted(tmp_path, LLADA | {"embedding_size": 64, "mask_token_id": 40}).shape.vocabulary == 64


NO_ENGINE = [
    (LLADA, "block_type", "sequential"),
    (LLADA, "activation_type", "swiglu"),
    (LLADA, "layer_norm_type", "default"),
    (LLADA, "layer_norm_type", "gemma_rms"),
    (LLADA, "rope", False),
    (LLADA, "include_bias", True),
    (LLADA, "include_qkv_bias", True),
    (LLADA, "bias_for_layer_norm", True),
    (LLADA, "attention_layer_norm", True),
    (LLADA, "layer_norm_with_affine", False),
    (LLADA, "alibi", True),
    (LLADA, "scale_logits", True),
    (LLADA, "input_emb_norm", True),
    (LLADA, "multi_query_attention", True),
    (LLADA, "block_group_size", 2),
    (LLADA, "weight_tying", "yes"),
    (LLADA, "rope_full_precision", 1),
    (LLADA, "n_experts", 8),
    (LLADA, "rope_scaling", {"type": "linear", "factor": 2.0}),
    (LLADA, "quantization_config", {"quant_method": "gptq", "bits": 4}),
    (LLAMA, "quantization_config", {"quant_method": "awq", "bits": 4}),
    (LLAMA, "quantization_config", {"quant_method": "bitsandbytes", "load_in_4bit": True}),
    (LLAMA, "quantization_config", {"quant_method": "fp8"}),
    (LLAMA, "compression_config", {"format": "pack-quantized"}),
    (LLAMA, "sliding_window", 32),
    (LLAMA, "attention_chunk_size", 32),
    (LLAMA, "layer_types", ["sliding_attention", "full_attention"]),
    (LLAMA, "partial_rotary_factor", 0.5),
    (LLAMA, "rope_interleaved", True),
    (LLAMA, "is_causal", False),
    (LLAMA, "hidden_act", "swiglu"),
    (LLAMA, "hidden_act", None),
    (LLAMA, "attention_bias", 1),
    (LLAMA, "tie_word_embeddings", "true"),
    (LLAMA, "add_cross_attention", True),
]


@pytest.mark.parametrize(("config", "key", "value"), NO_ENGINE)
def test_what_no_engine_computes_is_refused_by_its_key(config, key, value, tmp_path):
    assert refusal(tmp_path, config | {key: value}).startswith(f"{key} is ")


def test_quantised_weights_come_with_what_to_do(tmp_path):
    text = refusal(tmp_path, LLAMA | {"quantization_config": {"quant_method": "gptq"}})
    assert text.endswith("give the checkpoint before it was quantised; DTYPE=int8 quantises it here")


LLAMA3_ROPE = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 16}  # fmt: skip
LONG_ROPE = {"rope_type": "longrope", "short_factor": [1.0, 1.0], "long_factor": [2.0, 2.0],
             "original_max_position_embeddings": 16}  # fmt: skip
ONLY_EAGER = [
    ("attention_bias", True, "attention_bias is True"),
    ("mlp_bias", True, "mlp_bias is True"),
    ("hidden_act", "gelu", "hidden_act is 'gelu'"),
    ("hidden_act", "relu2", "hidden_act is 'relu2'"),
    ("rope_scaling", {"type": "dynamic", "factor": 2.0}, "rope_scaling: rope_type is 'dynamic'"),
    ("rope_parameters", {"rope_type": "dynamic", "factor": 2.0}, "rope_parameters: rope_type is 'dynamic'"),
    ("rope_scaling", LONG_ROPE, "rope_scaling: rope_type is 'longrope'"),
]


@pytest.mark.parametrize(("key", "value", "message"), ONLY_EAGER)
def test_what_the_captured_engine_does_not_compute_is_refused_by_its_key(key, value, message, tmp_path):
    text = refusal(tmp_path, LLAMA | {key: value}, "captured")
    assert text.startswith(f"{message}, which engine captured does not compute (it computes ")
    assert text.endswith("; give engine: eager (ENGINE=eager)")
    assert accepted(tmp_path, LLAMA | {key: value}, "eager")


BOTH_ENGINES = [
    {"hidden_act": "swish"},
    {"head_dim": 16},
    {"num_key_value_heads": 1},
    {"tie_word_embeddings": True},
    {"rope_scaling": None},
    {"rope_scaling": {"type": "linear", "factor": 2}},
    {"rope_scaling": LLAMA3_ROPE},
    {"rope_parameters": LLAMA3_ROPE | {"rope_theta": 5e5}},
    {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "beta_fast": None, "attention_factor": 1.1}},
    {"rope_scaling": {"type": "yarn", "factor": 2.0, "finetuned": True}},
    {"rope_theta": 500000},
    {"pretraining_tp": 2},
    {"torch_dtype": "bfloat16"},
    {"dtype": "float16"},
    {"attention_dropout": 0.1},
    {"sliding_window": None, "use_sliding_window": False},
    {"unsloth_version": "2025.1"},
    {"architectures": ["LlamaForCausalLM"]},
    {"architectures": ["LLaMAForCausalLM"], "max_sequence_length": 2048, "pad_token_id": -1},
    {"architectures": None},
    {"some_new_switch": False, "another": None, "third": []},
    {"num_beams": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "top_k": 50, "pruned_heads": {}},
]


@pytest.mark.parametrize("changes", BOTH_ENGINES, ids=str)
def test_what_both_engines_compute_is_accepted(changes, tmp_path):
    assert accepted(tmp_path, LLAMA | changes)


@pytest.mark.parametrize(("config", "engine", "who"), [
    (LLAMA, "captured", "engine captured"), (LLADA, "captured", "this benchmark"), (LLADA, "eager", "this benchmark"),
])  # fmt: skip
@pytest.mark.parametrize(("key", "value"), [("residual_multiplier", 0.2), ("qk_norm", True), ("logits_scaling", 8)])
def test_a_key_that_nobody_stated_is_refused(config, engine, who, key, value, tmp_path):
    text = refusal(tmp_path, config | {key: value}, engine)
    assert text.startswith(f"{who} does not know the key {key}")
    assert "take the key out if the model does not depend on it" in text


def test_the_eager_llama_passes_over_what_transformers_passes_over(tmp_path):
    assert accepted(tmp_path, LLAMA | {"residual_multiplier": 0.2}, "eager")
    assert accepted(tmp_path, LLAMA | {"rope_scaling": {"type": "linear", "factor": 2.0, "extra": 1}}, "eager")
    text = refusal(tmp_path, LLAMA | {"rope_scaling": {"type": "linear", "factor": 2.0, "extra": 1}}, "captured")
    assert "the key rope_scaling.extra" in text


@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
@pytest.mark.parametrize(("value", "message"), [
    ({"type": "linear"}, "has no factor, which the rotary table 'linear' needs"),
    ({"rope_type": "yarn", "factor": "4"}, "has factor '4'; expected a number above 0"),
    ({"rope_type": "linear", "factor": None}, "has factor None; expected a number above 0"),
    ({"rope_type": "default", "rope_theta": 0}, "has rope_theta 0; expected a number above 0"),
    ({"rope_type": "llama3", "factor": 8.0}, "has no low_freq_factor, which the rotary table 'llama3' needs"),
    (LLAMA3_ROPE | {"high_freq_factor": 1.0}, "has a high_freq_factor that is not above its low_freq_factor"),
    (LONG_ROPE | {"long_factor": [1.0]}, "needs long_factor, a list of 2 numbers above 0"),
    (LONG_ROPE | {"short_factor": "1"}, "needs short_factor, a list of 2 numbers above 0"),
    ({"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}, "has partial_rotary_factor 0.5"),
])  # fmt: skip
def test_a_rotary_table_that_lacks_a_number_is_refused(key, value, message, tmp_path):
    assert refusal(tmp_path, LLAMA | {key: value}).startswith(f"{key} {message}")


@pytest.mark.parametrize("value", [{"type": "mrope"}, {"rope_type": "su"}, {"rope_type": None}, "linear", [2.0]])
def test_a_rotary_table_of_an_unknown_type_is_refused(value, tmp_path):
    assert refusal(tmp_path, LLAMA | {"rope_scaling": value}).startswith("rope_scaling: rope_type is ")


@pytest.mark.parametrize(("config", "names"), [
    (LLAMA, ["MistralForCausalLM"]), (LLAMA, ["Qwen2ForCausalLM"]), (LLAMA, ["LlamaForSequenceClassification"]),
    (LLAMA, "MixtralForCausalLM"), (LLADA, ["LlamaForCausalLM"]), (LLADA, [5]),
])  # fmt: skip
def test_another_architecture_than_the_model_type_says_is_refused(config, names, tmp_path):
    text = refusal(tmp_path, config | {"architectures": names})
    assert text.startswith(f"model_type is {config['model_type']!r}, but architectures says ")


DECODING = [("repetition_penalty", 1.1), ("no_repeat_ngram_size", 3), ("suppress_tokens", [1]), ("min_length", 8),
            ("forced_eos_token_id", 2), ("num_beams", 4), ("bad_words_ids", [[3]])]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), DECODING)
@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
def test_settings_that_would_change_the_greedy_text_are_refused(name, key, value, tmp_path):
    write_config(tmp_path, LLAMA)
    file = tmp_path / name
    content = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(content | {key: value}))
    with pytest.raises(BadInput, match=f"^{file}: {key} is .*, so generate\\(\\) would give another text"):
        checkpoint.read(tmp_path, random_seed=0)


def test_an_end_token_beyond_the_vocabulary_is_named_where_it_stands(tmp_path):
    write_config(tmp_path, LLAMA)
    where = tmp_path / "generation_config.json"
    where.write_text(json.dumps({"eos_token_id": [1, 99]}))
    with pytest.raises(BadInput, match=f"^{where}: eos_token_id is 99, which is not an id"):
        checkpoint.read(tmp_path, random_seed=0)


def test_how_a_checkpoint_would_sample_is_left_to_the_cells(tmp_path):
    write_config(tmp_path, LLAMA)
    sampling = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.0, "max_length": 4096}
    (tmp_path / "generation_config.json").write_text(json.dumps(sampling))
    assert checkpoint.read(tmp_path, random_seed=0).eos_ids == (1,)


def test_the_activations_are_names_of_transformers():
    assert set(llama.ACTIVATIONS) <= set(ACT2FN)


@pytest.mark.parametrize("folder", ["bench/pocket/llama", "bench/pocket/llada", "configs/shapes/llada-8b",
                                    "configs/shapes/llama-3-8b", "tests/golden/tiny-llada"])  # fmt: skip
def test_what_ships_with_the_benchmark_runs_on_both_engines(folder):
    for engine in ("eager", "captured"):
        checkpoint.read(REPO / folder, random_seed=0).check_engine(engine)


def test_settings_of_generate_do_not_concern_a_model_that_denoises(tmp_path):
    assert accepted(tmp_path, LLADA | {"num_beams": 1, "repetition_penalty": 1.2, "max_length": 20})
