"""LLaDA's algorithm as functions on tensors: head, sampler, denoising loop, likelihood bound."""
