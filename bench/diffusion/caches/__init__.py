"""Caches: which keys and values of earlier steps a denoising step may use again. One file each."""
