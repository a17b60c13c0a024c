"""The dual cache: what stands before the block and the masks behind it are reused, the block alone is pushed.

Source: Fast-dLLM (arXiv 2505.22618).
"""

from bench.diffusion.caches.base import KeysAndValues


class Dual(KeysAndValues):
    """Partial forwards push the block (`plans.dual`)."""
