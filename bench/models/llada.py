"""What LLaDA states about itself: LLaMA's block without the causal mask, denoised in a chosen number of steps.

Its official checkpoints have other keys in config.json and other names of parameters, one to one with LLaMA's
(`official_name`). Their configuration comes from OLMo's, which can ask for much more than LLaMA's block.
"""

from bench.models.kind import DECODING, WITHOUT_EFFECT, Configuration, Keys, Kind

KEYS = Keys(
    layers="n_layers",
    width="d_model",
    heads="n_heads",
    kv_heads="n_kv_heads",
    head_width=None,
    feed_forward="mlp_hidden_size",
    positions="max_sequence_length",
    tied="weight_tying",
    tied_unless_stated=True,
    vocabulary="vocab_size",
    padded_vocabulary="embedding_size",
)

VALUES = {  # what LLaMA's block computes, in either engine
    "block_type": ("llama",),
    "activation_type": ("silu",),
    "layer_norm_type": ("rms",),
    "rope": (True,),
    "rope_full_precision": (True, False),
    "weight_tying": (True, False),
    "layer_norm_with_affine": (True,),
    "include_bias": (False,),
    "include_qkv_bias": (False, None),
    "bias_for_layer_norm": (None, False),
    "attention_layer_norm": (False,),
    "alibi": (False,),
    "input_emb_norm": (False,),
    "scale_logits": (False,),
    "multi_query_attention": (None, False),
    "block_group_size": (1,),
    "n_experts": (None,),
    "num_experts": (None,),
    "rope_scaling": (None,),
    "rope_parameters": (None,),
    "sliding_window": (None,),
    "quantization_config": (None, {}),
    "compression_config": (None, {}),
    "quantization": (None, {}),  # as MLX writes it
}

BLOCK_NAMES = {  # LLaMA's name inside a layer: official name inside a block
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "q_proj",
    "self_attn.k_proj": "k_proj",
    "self_attn.v_proj": "v_proj",
    "self_attn.o_proj": "attn_out",
    "post_attention_layernorm": "ff_norm",
    "mlp.gate_proj": "ff_proj",
    "mlp.up_proj": "up_proj",
    "mlp.down_proj": "ff_out",
}
TOP_NAMES = {"model.embed_tokens": "wte", "model.norm": "ln_f", "lm_head": "ff_out"}


def official_name(name: str) -> str:
    """LLaDA's name of a `LlamaForCausalLM` parameter."""
    stem = name.removesuffix(".weight")
    if stem in TOP_NAMES:
        return f"model.transformer.{TOP_NAMES[stem]}.weight"
    _, _, layer, inner = stem.split(".", 3)
    return f"model.transformer.blocks.{layer}.{BLOCK_NAMES[inner]}.weight"


def llama_settings(config: dict) -> dict:
    """The arguments of transformers' LlamaConfig for LLaDA's body."""
    return {
        "vocab_size": config.get("embedding_size") or config["vocab_size"],
        "hidden_size": config["d_model"],
        "intermediate_size": config["mlp_hidden_size"],
        "num_hidden_layers": config["n_layers"],
        "num_attention_heads": config["n_heads"],
        "num_key_value_heads": config.get("n_kv_heads") or config["n_heads"],
        "max_position_embeddings": config["max_sequence_length"],
        "rms_norm_eps": float(config["rms_norm_eps"]),
        "rope_parameters": {"rope_type": "default", "rope_theta": float(config["rope_theta"])},
        "tie_word_embeddings": config.get("weight_tying", True),
    }


LLADA = Kind(
    name="llada",
    label="LLaDA",
    mark="step",
    has_steps=True,
    has_cache=False,
    causal=False,
    rotates_in_float32=True,
    engines=("eager", "captured"),
    own_call="LLaDA as its authors run it is engine: eager with head: official",
    configuration=Configuration(
        keys=KEYS,
        architectures=("LLaDAModelLM", "LLaDAModel"),
        numbers=("rms_norm_eps", "rope_theta"),
        values=VALUES,
        captured={},
        # Without these keys the authors' code takes values that this block does not compute, or makes up a number.
        stated=("block_type", "activation_type", "layer_norm_type", "rope", "rms_norm_eps", "rope_theta"),
        without_effect=WITHOUT_EFFECT
        | set(DECODING)  # its sampler is not generate()
        | {"alibi_bias_max", "attention_layer_norm_with_affine", "mlp_ratio"},
        has_mask=True,
    ),
    parameter_name=official_name,
    name_prefixes=("model.", "model.transformer."),
    llama_settings=llama_settings,
)
