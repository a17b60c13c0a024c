"""The adapter of each kind of model, behind the contract of `contract.py`."""

from collections.abc import Callable

from bench.adapters.contract import Adapter
from bench.spec.cell import Cell


def llama() -> Adapter:
    from bench.adapters.llama import LlamaAdapter

    return LlamaAdapter()


def llada() -> Adapter:
    from bench.adapters.llada import LladaAdapter

    return LladaAdapter()


def server() -> Adapter:
    from bench.adapters.server import ServerAdapter

    return ServerAdapter()


# By kind of model (bench/models/kinds.py). Each imports its adapter when it is called: transformers takes seconds.
ADAPTERS: dict[str, Callable[[], Adapter]] = {"llama": llama, "llada": llada}


def create(model: str) -> Adapter:
    """A new adapter of a kind of model. No weights are loaded yet. Raises KeyError for a kind without an adapter."""
    return ADAPTERS[model]()


def adapter_of(cell: Cell) -> Adapter:
    """A new adapter for a cell: that of its kind of model, or, where the model is behind an address, a server's."""
    return server() if cell.server else create(cell.model)
