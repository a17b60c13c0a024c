"""Efficiency benchmark of a language diffusion model (LLaDA) against an autoregressive one (LLaMA)."""

import logging

for name in ("torchao", "torch.utils._pytree"):  # transformers imports torchao, which complains of what is not used
    logging.getLogger(name).setLevel(logging.ERROR)
