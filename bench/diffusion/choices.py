"""What LLaDA's algorithm lets one choose by name, and how much of its work is done at once. Imports no torch.

The command line and the cost model read these before torch is loaded. The functions behind the names are in
`samplers.py` and `caches.py`; a test holds that names and functions agree.
"""

SAMPLERS = ("fixed",)  # which masked positions a step commits (samplers.py)
CACHES = ("none",)  # which keys and values a step may reuse (caches.py)
HEAD_ROWS = 1024  # rows of logits that the lean head computes at a time, so that few logits are in memory at once
