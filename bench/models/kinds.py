"""The kinds of model that can be compared, and what each is capable of. Imports no torch.

A kind is what `model_type` says in a checkpoint's config.json. Everything outside the adapters asks a kind for a
capability (does it have denoising steps? does it mark tokens?) and never compares its name, so a further model needs
an entry here, an adapter and a pair file.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What the rest of the benchmark needs to know about a kind of model.

    name: its key in pair files, records and results. label: its name in tables and sentences. mark: what its adapter
    marks after each forward, `token` or `step`. has_steps: whether the number of forwards is chosen (denoising steps)
    or follows from the length (one token a forward). has_cache: whether keys and values of earlier positions are kept.
    causal: whether a position sees only itself and what stands before it. rotates_in_float32: whether rotary positions
    are applied in float32 whatever the dtype of the activations.
    """

    name: str
    label: str
    mark: str
    has_steps: bool
    has_cache: bool
    causal: bool
    rotates_in_float32: bool


KINDS = {
    "llama": Kind(
        "llama", label="LLaMA", mark="token", has_steps=False, has_cache=True, causal=True, rotates_in_float32=False
    ),
    "llada": Kind(
        "llada", label="LLaDA", mark="step", has_steps=True, has_cache=False, causal=False, rotates_in_float32=True
    ),
}


def has_steps(name: str) -> bool:
    """Whether a model of this name denoises in a chosen number of steps; False for a name that is no model (human)."""
    return name in KINDS and KINDS[name].has_steps


AUTOREGRESSIVE = "autoregressive"  # the role of a model that writes token by token
DIFFUSION = "diffusion"  # the role of a model that denoises in a chosen number of steps


def role_of(name: str) -> str:
    """What part a kind of model plays in a comparison, which has a model of each role."""
    return DIFFUSION if has_steps(name) else AUTOREGRESSIVE


def label_of(name: str) -> str:
    """The name in tables and sentences; a name that is no model (human) stands for itself."""
    return KINDS[name].label if name in KINDS else name
