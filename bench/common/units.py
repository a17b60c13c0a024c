"""Units of bytes."""

GIB = 1 << 30
