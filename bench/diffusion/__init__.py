"""LLaDA's algorithm as pure functions on tensors: sampling, likelihood and training losses."""
