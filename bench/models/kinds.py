"""The kinds of model that can be compared, by their names. Imports no torch.

A kind is what `model_type` says in a checkpoint's config.json. Everything outside the adapters asks a kind for what it
states (`kind.py`: does it have denoising steps? under which key is its width?) and never compares its name, so a
further model needs a file beside `llama.py`, an entry here, an adapter and a pair file.
"""

from bench.models.kind import Kind
from bench.models.llada import LLADA
from bench.models.llama import LLAMA

KINDS: dict[str, Kind] = {kind.name: kind for kind in (LLAMA, LLADA)}


# Other diffusion models by their `model_type`: why LLaDA's code would give wrong texts for them.
OTHER_KINDS = {
    "Dream": "Dream's logits are shifted, a position predicts the token after it where LLaDA's predicts its own, and"
    " its queries, keys and values have biases",
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
