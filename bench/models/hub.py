"""Where a model lies: a directory, or a name on the Hugging Face hub that is fetched once.

Only safetensors, configurations and tokenizers are fetched; code never is.
"""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from bench.common.errors import BadInput
from bench.models.json_file import read_json

WANTED = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*",
          "special_tokens_map.json", "chat_template*"]  # fmt: skip
CONFIGURATION = [name for name in WANTED if not name.startswith("*.safetensors")]  # what is small of a model
TIMEOUT_S = 4.0  # how long the hub may take to answer whether it is there


def locate(weights: str) -> str:
    """The directory of `weights`, a directory or a hub name. Raises BadInput within seconds if it cannot be had."""
    return located(weights, WANTED, is_whole)


def locate_configuration(weights: str) -> str:
    """The same, of which configuration and tokenizer are enough: of a hub's model no weights are fetched."""
    return located(weights, CONFIGURATION, has_configuration)


def located(weights: str, wanted: list[str], is_enough: Callable[[Path], bool]) -> str:
    """A directory as it is, or that of a hub's model with the files that are wanted. is_enough: whether a directory has
    what must be there of them. Raises BadInput."""
    if Path(weights).exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", weights):
        return weights
    from huggingface_hub import HfApi, constants, errors, snapshot_download

    remedy = "or give a local directory in the pair's file or as MODEL="
    with contextlib.suppress(errors.LocalEntryNotFoundError):  # which says that nothing of it was fetched yet
        directory = snapshot_download(weights, allow_patterns=wanted, local_files_only=True)
        if is_enough(Path(directory)):
            return directory
    if constants.is_offline_mode():
        raise BadInput(f"{weights}: not fetched yet, or only in part, and HF_HUB_OFFLINE is set; unset it, {remedy}")
    try:
        HfApi().model_info(weights, timeout=TIMEOUT_S)
        return snapshot_download(weights, allow_patterns=wanted)
    except errors.GatedRepoError:
        page = f"https://huggingface.co/{weights}"
        raise BadInput(f"{weights}: accept the licence at {page} and run `hf auth login`, {remedy}") from None
    except errors.RepositoryNotFoundError:
        raise BadInput(
            f"{weights}: no such directory, and the hub has no such model (or needs `hf auth login`)"
        ) from None
    except Exception as error:  # whatever the network stack raises; the hub is simply out of reach
        raise BadInput(
            f"{weights}: the hub cannot be reached ({type(error).__name__}); check the network, {remedy}"
        ) from None


def has_configuration(directory: Path) -> bool:
    """Whether a directory has a configuration."""
    return (directory / "config.json").is_file()


def is_whole(directory: Path) -> bool:
    """Whether a directory has a configuration and all of its weights: a download may have been stopped, and other
    programs fetch the configuration or the tokenizer alone."""
    if not has_configuration(directory):
        return False
    index = directory / "model.safetensors.index.json"
    if not index.is_file():
        return (directory / "model.safetensors").is_file()
    shards = read_json(index).get("weight_map", {})
    return isinstance(shards, dict) and all((directory / str(name)).is_file() for name in set(shards.values()))


def answers_for_data(name: str) -> None:
    """Raise within seconds if the hub does not answer for a data set; nothing where the hub is switched off."""
    from huggingface_hub import HfApi, constants

    if not constants.is_offline_mode():
        HfApi().dataset_info(name, timeout=TIMEOUT_S)
