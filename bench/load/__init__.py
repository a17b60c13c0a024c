"""A server behind an address, under the load of a generator that others maintain."""
