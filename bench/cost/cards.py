"""Published peaks of cards that nobody here has measured (configs/devices.yaml)."""

from pathlib import Path

from pydantic import Field

from bench.common.yaml_file import Strict, read_yaml
from bench.cost.floors import Ceilings

DEVICES = Path("configs/devices.yaml")
PUBLISHED = "predicted from published peaks"


class Device(Strict):
    """What a card's vendor says of it."""

    flops_per_s: float = Field(gt=0)  # dense bfloat16 products
    bytes_per_s: float = Field(gt=0)
    memory_bytes: float = Field(gt=0)
    source: str

    @property
    def ceilings(self) -> Ceilings:
        return Ceilings(self.flops_per_s, self.bytes_per_s)


class DeviceFile(Strict):
    """configs/devices.yaml."""

    cards: dict[str, Device]


def devices() -> dict[str, Device]:
    """The published cards by name. Raises BadInput naming file, key and rule."""
    return read_yaml(DEVICES, DeviceFile, "list of cards", DEVICES.parent).cards
