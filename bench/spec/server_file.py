"""What the file of a pair may say of a model behind an address, under the key `server` of the model."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from bench.common.yaml_file import Strict
from bench.models import server


def fields_as_json(value: object) -> object:
    """Fields of a request as JSON, which can be compared and hashed. Raises ValueError for those that cells decide."""
    if not isinstance(value, dict):
        raise ValueError("must be a mapping of fields of a request to their values")
    if taken := sorted(set(map(str, value)) & set(server.SET_BY_CELLS)):
        raise ValueError(f"{taken[0]} is decided by the cells; take it out")
    return json.dumps(value, sort_keys=True)


Fields = Annotated[str, BeforeValidator(fields_as_json)]


class ServerFile(Strict):
    """Where a server is and how its model is asked (bench/adapters/README.md)."""

    address: str  # such as http://127.0.0.1:8000/v1
    model: str | None = None  # its name there; default: the only one that the server has
    extra_body: Fields = "{}"  # sent with every request beside what the cells decide
    forced_length: Fields | None = None  # sent where an answer must not end by itself, such as {ignore_eos: true}
    api_key_env: str | None = None  # the variable of the environment that holds the key
    allow_remote: bool = False  # whether the address may be that of another machine

    @model_validator(mode="after")
    def may_be_asked(self) -> "ServerFile":
        """Refuse an address that is none, that is of another machine unless that is said, or that holds a password."""
        server.checked_address(self.address, self.allow_remote)
        return self

    @property
    def asked(self) -> server.Asked:
        """The same, as what asks takes it."""
        address = server.checked_address(self.address, self.allow_remote)
        return server.Asked(address, self.model, self.extra_body, self.forced_length, self.api_key_env)


def with_address(files: dict[str, Any]) -> dict[str, Any]:
    """What a file says of a model behind an address, with the address in place of weights. Raises ValueError."""
    stated = files["server"]
    for name in ("weights", "random_seed", "fold_ids_below", "shift_ids_by"):
        if files.get(name) is not None:
            raise ValueError(f"{name}: does not go with server; take one of them out")
    if not isinstance(files.get("tokenizer"), str):
        raise ValueError(
            "tokenizer: a server's model needs a directory with the model's own, since tokens are counted here"
        )
    address = stated.get("address") if isinstance(stated, dict) else stated
    return files | {
        "weights": str(address).rstrip("/"),
        "server": {"address": stated} if isinstance(stated, str) else stated,
    }
