"""The products that a grid's file states: its own, and the further ones of its key `also`."""

from pathlib import Path

from bench.common.yaml_file import validate
from bench.spec import decoder_rules
from bench.spec import grid as grids
from bench.spec.axis import as_list

ALSO = ", also "  # between a grid's name and the number of a further product


def read_products(name: str, overrides: dict, pair: str | None = None) -> dict[str, grids.GridFile]:
    """A grid and its further products (`also`), by what messages call them: the name, and `NAME, also 1`.

    A further product takes over what it does not state, but for options that its own samplers and caches do not have.
    """
    grid = grids.read_grid(name, overrides, pair)
    products = {name: grid.model_copy(update={"also": []})}
    for number, stated in enumerate(grid.also, 1):
        where = f"{name}{ALSO}{number}"
        values = products[name].model_dump() | stated | overrides
        theirs = decoder_rules.options_of(as_list(values["sampler"]), as_list(values["cache"]))
        strays = set(decoder_rules.OPTIONS) - theirs - set(stated)
        values = {key: value for key, value in values.items() if key not in strays}
        products[where] = validate(values, grids.GridFile, Path(where))
    return products
