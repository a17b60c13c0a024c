"""What LLaDA costs at inference next to LLaMA: measuring, decoding and comparing."""

import logging

for name in ("torchao", "torch.utils._pytree"):  # transformers imports torchao, which complains of what nobody uses here
    logging.getLogger(name).setLevel(logging.ERROR)
