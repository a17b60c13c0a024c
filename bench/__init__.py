"""Efficiency benchmark of a language diffusion model (LLaDA) against an autoregressive one (LLaMA)."""
