"""Precisions: the bytes of a number, and what products are computed in."""

# Precisions of eight bits by the bytes that each row of a matrix needs besides: of int8 a scale and a zero point, of
# float8 a scale. int8 is of weights alone; of float8 are weights and the activations that they are multiplied with.
# What lies between products is bfloat16.
EIGHT_BITS = {"int8": 5, "float8": 4}


def float_dtype_of(dtype: str) -> str:
    """The dtype of what lies between products: bfloat16 for those of eight bits; else the same."""
    return "bfloat16" if dtype in EIGHT_BITS else dtype


def product_dtype_of(dtype: str) -> str:
    """The dtype in which products are computed, on which the most that a device can do depends."""
    return "float8" if dtype == "float8" else float_dtype_of(dtype)


# Bytes of an activation by precision.
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 2, "float8": 2}
