"""The engines: how the forwards of a call are run, and what each of them can do. Imports no torch.

Which engines a kind of model has is stated in its own file (`llama.py`, `llada.py`). LLaDA's head is another axis: an
engine says nothing of it.
"""

from dataclasses import dataclass
from typing import Literal, get_args

EngineName = Literal["eager", "captured", "generate", "generate-static"]
NAMES: tuple[EngineName, ...] = get_args(EngineName)
# What stands in place of engine and device where a model is behind an address (server.py). No grid asks for it: it is
# the pair's file that says where a model is.
SERVER = "server"


@dataclass(frozen=True)
class Engine:
    """What other code needs to know of an engine.

    has_one_shape: whether every call of a cell must have prompts of one length and one batch. runs_parts: whether the
    first and the last tokens of a call can be run alone, and a row can end after a stated number of tokens, as in our
    own loops. is_prepared: whether an adapter has to be told the shapes of a cell's calls before the first of them, to
    compile or capture what they need.
    """

    has_one_shape: bool = False
    runs_parts: bool = True
    is_prepared: bool = False


ENGINES: dict[EngineName, Engine] = {
    "eager": Engine(),  # our loop over transformers' own modules
    "captured": Engine(has_one_shape=True, is_prepared=True),  # our loop over captured steps
    "generate": Engine(runs_parts=False),  # transformers' generate() as it comes
    "generate-static": Engine(runs_parts=False, is_prepared=True),  # with a static cache, compiled on a GPU
}


def label_of(engine: EngineName, device: str) -> str:
    """An engine's name beside a run on a device: of a static cache on a CPU, that nothing is compiled there."""
    return f"{engine} (not compiled)" if engine == "generate-static" and device == "cpu" else engine
