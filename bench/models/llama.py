"""What LLaMA states about itself: a causal model that keeps keys and values and gives one token a forward."""

import copy

from bench.models.kind import DECODING, WITHOUT_EFFECT, Configuration, Keys, Kind

KEYS = Keys(
    layers="num_hidden_layers",
    width="hidden_size",
    heads="num_attention_heads",
    kv_heads="num_key_value_heads",
    head_width="head_dim",
    feed_forward="intermediate_size",
    positions="max_position_embeddings",
    tied="tie_word_embeddings",
    tied_unless_stated=False,
    vocabulary="vocab_size",
    padded_vocabulary=None,
)

# transformers' names of the activations that it has without further settings; the captured engine has one of them.
ACTIVATIONS = (
    "silu", "swish", "gelu", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "gelu_python_tanh",
    "gelu_accurate", "quick_gelu", "hardswish", "mish", "relu", "relu2", "relu6", "leaky_relu", "sigmoid", "tanh",
    "linear", "laplace",
)  # fmt: skip

VALUES = {  # what transformers' LlamaForCausalLM computes, which is the eager engine
    "hidden_act": ACTIVATIONS,
    "attention_bias": (False, True),
    "mlp_bias": (False, True),
    "tie_word_embeddings": (False, True),
    "rope_type": ("default", "linear", "llama3", "yarn", "dynamic", "longrope"),
    "partial_rotary_factor": (1.0, 1, None),
    "rope_interleaved": (False, None),
    "is_causal": (True, None),
    "sliding_window": (None,),
    "attention_chunk_size": (None,),
    "layer_types": (None,),
    "is_encoder_decoder": (False, None),
    "add_cross_attention": (False, None),
    "quantization_config": (None, {}),
    "compression_config": (None, {}),
    "quantization": (None, {}),  # as MLX writes it
}

CAPTURED = {  # what bench/models/layers.py computes of it
    "hidden_act": ("silu", "swish"),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    # One table for all positions. Of the other types the table depends on how long the text is by now.
    "rope_type": ("default", "linear", "llama3", "yarn"),
}

READ = (  # what transformers' LlamaConfig is given: all of config.json that changes a logit
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "original_max_position_embeddings",
    "rms_norm_eps", "attention_bias", "mlp_bias", "tie_word_embeddings", "rope_theta", "rope_scaling",
    "rope_parameters",
)  # fmt: skip


def own_name(name: str) -> str:
    """A `LlamaForCausalLM` parameter under the name that it has there."""
    return name


def llama_settings(config: dict) -> dict:
    """The arguments of transformers' LlamaConfig: copies of what config.json says, as far as it says anything."""
    settings = {key: copy.deepcopy(config[key]) for key in READ if config.get(key) is not None}
    return settings | {key: float(settings[key]) for key in ("rms_norm_eps", "rope_theta") if key in settings}


LLAMA = Kind(
    name="llama",
    label="LLaMA",
    mark="token",
    has_steps=False,
    has_cache=True,
    causal=True,
    rotates_in_float32=False,
    engines=("eager", "captured", "generate", "generate-static"),
    configuration=Configuration(
        keys=KEYS,
        architectures=("LlamaForCausalLM", "LLaMAForCausalLM", "LlamaModel"),
        numbers=("rms_norm_eps", "rope_theta", "original_max_position_embeddings"),
        values=VALUES,
        captured=CAPTURED,
        without_effect=WITHOUT_EFFECT | {"max_sequence_length"},  # the first LLaMA's files state positions twice
        decoding=DECODING,
        eager_ignores_other_keys=True,
    ),
    parameter_name=own_name,
    name_prefixes=("model.",),
    llama_settings=llama_settings,
)
