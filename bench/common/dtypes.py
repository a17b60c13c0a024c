"""Precisions: the bytes of a number, and what products are computed in."""


def float_dtype_of(dtype: str) -> str:
    """The dtype of activations and products: bfloat16 for int8, which quantises weights alone; else the same."""
    return "bfloat16" if dtype == "int8" else dtype


# Bytes of an activation by precision. int8 is of weights alone: its activations are bfloat16.
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 2}
