"""What a kind of model has to state about itself: capabilities, configuration, names of its tensors. Imports no torch.

The statements are in `llama.py` and `llada.py`, a file each; `kinds.py` lists them. What checks a directory against
them is in `configuration.py` and `tensor_files.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.models.engines import EngineName


@dataclass(frozen=True)
class Keys:
    """The keys under which config.json of a kind of model states its dimensions."""

    layers: str
    width: str
    heads: str
    kv_heads: str  # absent: as many as heads
    head_width: str | None  # absent, or None: width / heads
    feed_forward: str
    positions: str
    tied: str  # whether embedding and head are one matrix
    tied_unless_stated: bool
    vocabulary: str
    padded_vocabulary: str | None  # rows of the embedding, where a configuration states more of them than tokens


@dataclass(frozen=True)
class Configuration:
    """What config.json of a kind may say. Whatever is not stated here is refused by its key.

    An engine computes what `values` allows; the captured engine only what `captured` allows, where a key is in it. A
    key that is absent from config.json stands for the first of its values, unless it is one of `stated`. Of a rotary
    table the type alone is a value, under the key `rope_type` (`rope.py` looks up what a configuration calls it).
    """

    keys: Keys
    architectures: tuple[str, ...]  # classes that may stand under `architectures`
    numbers: tuple[str, ...]  # keys of numbers above 0 that the engines read
    values: dict[str, tuple]  # the values of a key that the eager engine computes
    captured: dict[str, tuple]  # those that the captured engine computes, where it computes fewer
    without_effect: frozenset[str]  # keys that change no logit: training, bookkeeping, how transformers returns things
    stated: tuple[str, ...] = ()  # keys of `values` and `numbers` that may not be absent
    # Keys of config.json and generation_config.json that would change the greedy text, and the values that do not.
    decoding: dict[str, tuple] = field(default_factory=dict)
    has_mask: bool = False  # whether `mask_token_id` names a mask token
    # Whether the eager engine passes over a key that is stated nowhere: true where this engine is the very code that
    # the checkpoint is made for. The captured engine refuses such a key.
    eager_ignores_other_keys: bool = False


@dataclass(frozen=True)
class Kind:
    """What the rest of the benchmark needs to know about a kind of model.

    name: `model_type` in config.json, and its key in pair files, records and results. label: its name in tables and
    sentences. mark: what its adapter marks after each forward, `token` or `step`. has_steps: whether the number of
    forwards is chosen (denoising steps) or follows from the length (one token a forward). has_cache: whether keys and
    values of earlier positions are kept. causal: whether a position sees only itself and what stands before it.
    rotates_in_float32: whether rotary positions are applied in float32 whatever the dtype of the activations.

    engines: the names of the engines that its adapter has (engines.py). own_call: for one that lacks generate(), how to
    run it as its authors do.

    configuration: what its config.json may say. parameter_name: from the name of a parameter in transformers'
    `LlamaForCausalLM`, the body of all kinds, to its name in a file of weights. name_prefixes: beginnings that names in
    a file may lack, since a model that was saved without its head lacks them. llama_settings: from the content of
    config.json to the arguments of transformers' `LlamaConfig`.
    """

    name: str
    label: str
    mark: str
    has_steps: bool
    has_cache: bool
    causal: bool
    rotates_in_float32: bool
    engines: tuple[EngineName, ...]
    configuration: Configuration
    parameter_name: Callable[[str], str]
    name_prefixes: tuple[str, ...]
    llama_settings: Callable[[dict], dict]
    own_call: str = ""


# Keys that change no logit in any kind of model: where a checkpoint comes from, how it was trained, what transformers
# returns beside logits, how it would sample (the cells of this benchmark say how they sample).
WITHOUT_EFFECT = frozenset((
    "model_type", "architectures", "transformers_version", "transformers.js_config", "torch_dtype", "dtype",
    "use_bfloat16", "_name_or_path", "name_or_path", "auto_map", "custom_pipelines", "tokenizer_class", "prefix",
    "finetuning_task", "task_specific_params", "problem_type", "id2label", "label2id", "num_labels", "torchscript",
    "tf_legacy_loss", "return_dict", "output_attentions", "output_hidden_states", "output_scores",
    "return_dict_in_generate", "output_router_logits", "chunk_size_feed_forward", "is_decoder",
    "cross_attention_hidden_size", "tie_encoder_decoder", "use_cache", "cache_implementation",
    "gradient_checkpointing", "initializer_range", "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop",
    "residual_dropout", "embedding_dropout", "dropout", "classifier_dropout", "neftune_noise_alpha", "pretraining_tp",
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id",
    "max_length", "max_new_tokens", "do_sample", "early_stopping", "num_beam_groups", "temperature", "top_k", "top_p",
    "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "length_penalty", "num_return_sequences",
    "remove_invalid_values", "renormalize_logits", "attn_implementation", "_attn_implementation",
    "_attn_implementation_autoset", "attn_implementation_internal", "use_flash_attn", "flash_attention",
    "_flash_attn_2_enabled", "unsloth_version", "unsloth_fixed", "_unsloth_fixed", "unsloth_tokenizer",
    "is_llama_config", "model_max_length", "init_device", "init_fn", "init_std", "init_cutoff_factor", "precision",
))  # fmt: skip

DECODING = {  # settings of generate() that would give another text than the greedy one
    "repetition_penalty": (None, 1.0, 1),
    "encoder_repetition_penalty": (None, 1.0, 1),
    "no_repeat_ngram_size": (None, 0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "bad_words_ids": (None, []),
    "force_words_ids": (None, []),
    "suppress_tokens": (None, []),
    "begin_suppress_tokens": (None, []),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "sequence_bias": (None, {}),
    "exponential_decay_length_penalty": (None,),
    "diversity_penalty": (None, 0.0, 0),
    "guidance_scale": (None, 1.0, 1),
    "penalty_alpha": (None, 0.0, 0),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "num_beams": (None, 1),
    "stop_strings": (None, []),
    "dola_layers": (None,),
    "watermarking_config": (None, {}),
}
