"""Adapters: one class a model, behind the contract of `base.py`."""

from bench.adapters.contract import Adapter


def create(model: str) -> Adapter:
    """The adapter of `llama` or `llada`, nothing loaded yet."""
    from bench.adapters.llada import LladaAdapter
    from bench.adapters.llama import LlamaAdapter

    return {"llama": LlamaAdapter, "llada": LladaAdapter}[model]()
