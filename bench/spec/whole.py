"""Which of the cells that run only a part of their calls are also run whole."""

from bench.spec.cell import Cell


def whole_cells(cells: list[Cell], which: bool | str) -> list[Cell]:
    """Of the cells that run only some of their forwards those that also run all of them. They show by how much the
    times of the others are off, since those are extrapolated.

    which: of a grid's `whole`. True: for each model the cheapest cell. "ends": for each model, engine, head and
    precision the cell with the fewest forwards at both ends of each axis (batch, length, prompt), and where several of
    them vary at every corner. False: none.
    """
    parts = [cell for cell in cells if cell.timed and not cell.attention]
    groups: dict[tuple, list[Cell]] = {}
    for cell in parts if which else ():
        alike = (cell.model, cell.engine, cell.head, cell.dtype) if which == "ends" else (cell.model,)
        groups.setdefault(alike, []).append(cell)
    chosen = at_corners if which == "ends" else lambda group: [cheapest(group)]
    return [cell.whole() for group in groups.values() for cell in chosen(group)]


def at_corners(cells: list[Cell]) -> list[Cell]:
    """The cheapest cell at each corner of the places where some cells stand: on each axis the least or the most."""
    ends = [{min(values), max(values)} for values in zip(*map(place_of, cells), strict=True)]
    corners: dict[tuple[int, ...], list[Cell]] = {}
    for cell in cells:
        if all(value in of_axis for value, of_axis in zip(place_of(cell), ends, strict=True)):
            corners.setdefault(place_of(cell), []).append(cell)
    return [cheapest(at_place) for at_place in corners.values()]


def place_of(cell: Cell) -> tuple[int, int, int]:
    """Where a cell stands on each axis of the scaling grids: batch, length and prompt (0: prompts as they are)."""
    return cell.batch_size, cell.gen_length, cell.prompt_tokens or 0


def cheapest(cells: list[Cell]) -> Cell:
    """The cell that takes the least time with all its forwards; of equal ones the first."""
    return min(cells, key=cost_of_whole)


def cost_of_whole(cell: Cell) -> tuple[int, int]:
    """What makes a cell with all its forwards long, to compare cells by: positions in all rows, then forwards."""
    return cell.batch_size * (cell.gen_length + (cell.prompt_tokens or 0)), cell.whole().forwards()
