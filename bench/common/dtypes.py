"""Precisions: bytes of a number, and what activations are computed in."""


def float_dtype_of(dtype: str) -> str:
    """Of activations and products in a precision: int8 is of weights alone, the rest in bfloat16."""
    return "bfloat16" if dtype == "int8" else dtype


BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 2}  # of activations; int8 is of weights alone
