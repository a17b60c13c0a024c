"""Models by name: what the user is told when one cannot be had, and how fast."""

import time

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from bench.common.errors import BadInput
from bench.models import hub
from tests.support.model_directory import LLAMA, write, write_config, write_shards

NAME = "meta-llama/Meta-Llama-3-8B-Instruct"


@pytest.fixture
def online(monkeypatch):
    """Pretend to be online with an empty cache; the hub answers with the given error."""

    def answer(error: Exception) -> None:
        def fetch(name, **options):
            if options.get("local_files_only"):
                raise errors.LocalEntryNotFoundError("not here")
            raise error

        class Api:
            def model_info(self, name, timeout):
                assert timeout <= 5
                raise error

        monkeypatch.setattr(constants, "is_offline_mode", lambda: False)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
        monkeypatch.setattr(huggingface_hub, "HfApi", Api)

    return answer


def answer_of(kind: type[Exception]) -> Exception:
    """The hub's error without the HTTP response that it wraps."""
    return kind.__new__(kind)


def message_of(name: str) -> str:
    with pytest.raises(BadInput) as caught:
        hub.locate(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_directory_is_taken_as_it_is(tmp_path):
    assert hub.locate(str(tmp_path)) == str(tmp_path)
    assert hub.locate("no/such/directory") == "no/such/directory"  # refused later, as a directory


def test_a_gated_model_names_the_licence_to_accept(online):
    online(answer_of(errors.GatedRepoError))
    text = message_of(NAME)
    assert f"accept the licence at https://huggingface.co/{NAME}" in text
    assert "MODEL=" in text


def test_a_missing_model_is_said_to_be_missing(online):
    online(answer_of(errors.RepositoryNotFoundError))
    assert "the hub has no such model" in message_of("some/model")


def test_an_unreachable_hub_is_said_to_be_out_of_reach(online):
    online(ConnectionError("no route"))
    assert "the hub cannot be reached (ConnectionError)" in message_of(NAME)


def test_offline_says_so_at_once(online, monkeypatch):
    online(ConnectionError("never asked"))
    monkeypatch.setattr(constants, "is_offline_mode", lambda: True)
    start = time.perf_counter()
    assert "HF_HUB_OFFLINE is set" in message_of(NAME)
    assert time.perf_counter() - start < 1


def test_what_was_fetched_in_part_is_fetched_again(monkeypatch, tmp_path):
    """A program that asked for the configuration alone, or a download that was stopped."""
    asked = []

    def fetch(name, **options):
        asked.append("local" if options.get("local_files_only") else "hub")
        if asked[-1] == "hub":
            write(tmp_path, LLAMA)
        return str(tmp_path)

    class Api:
        def model_info(self, name, timeout):
            """The hub answers."""

    monkeypatch.setattr(constants, "is_offline_mode", lambda: False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    write_config(tmp_path, LLAMA)
    assert hub.locate(NAME) == str(tmp_path)
    assert hub.locate(NAME) == str(tmp_path)
    assert asked == ["local", "hub", "local"]


def test_a_directory_is_whole_with_all_of_its_shards(tmp_path):
    write_shards(tmp_path, LLAMA)
    assert hub.is_whole(tmp_path)
    (tmp_path / "part-1.safetensors").unlink()
    assert not hub.is_whole(tmp_path)
