"""The prefix cache: what stands before the block is reused, the block and all later masks are pushed.

Source: Fast-dLLM (arXiv 2505.22618).
"""

from bench.diffusion.caches.base import KeysAndValues


class Prefix(KeysAndValues):
    """Partial forwards push everything from the block on (`plans.prefix`)."""
