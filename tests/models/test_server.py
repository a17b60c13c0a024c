"""What a server is asked before anything is measured, and what is refused in one line."""

import pytest

from bench.common.errors import BadInput
from bench.models import server
from bench.models.server_look import look
from tests.store.test_mlflow_server import another_program, nobody
from tests.support.fake_server import IDS, asked_of, serving


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:8000/v1", "no address of a server"),
        ("ftp://127.0.0.1/v1", "no address of a server"),
        ("http:///v1", "no address of a server"),
        ("http://127.0.0.1:port/v1", "no address of a server"),
        ("http://me:secret@127.0.0.1/v1", "holds a name or a password"),
        ("http://127.0.0.1/v1?key=secret", "leave out what stands behind"),
        ("https://api.example.com/v1", "not on this machine; say allow_remote: true"),
        ("http://10.0.0.7:8000/v1", "not on this machine"),
        ("http://localhost.example.com/v1", "not on this machine"),
    ],
)
def test_an_address_that_is_not_to_be_asked_is_refused(address, words):
    with pytest.raises(ValueError, match=words) as refusal:
        server.checked_address(address)
    assert "secret" not in str(refusal.value) or "?" in address


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/v1/", "http://localhost:1/v1", "http://[::1]:8000/v1"])
def test_this_machine_may_be_asked(address):
    assert server.checked_address(address) == address.rstrip("/")


def test_another_machine_may_be_asked_where_the_pair_says_so():
    assert server.checked_address("https://api.example.com/v1", allow_remote=True) == "https://api.example.com/v1"


def refusal(address: str, **asked: str) -> str:
    with pytest.raises(BadInput) as error:
        look(server.Asked(address, **asked), IDS, "text")
    [line] = str(error.value).splitlines()
    return line


def test_a_server_that_is_not_there_is_one_line():
    with nobody() as address:
        assert (
            refusal(address)
            == f"{address}: no server answers there (Connection refused); start it, or mend the address"
        )


def test_another_program_is_one_line():
    with another_program() as address:
        assert "no OpenAI-compatible server (its /models is no list of models, status 404)" in refusal(f"{address}/v1")


def test_a_page_in_place_of_a_list_is_one_line():
    with serving(page=b"<html>hello</html>") as does:
        assert "no OpenAI-compatible server" in refusal(does.address)


def test_another_model_is_one_line_that_names_what_there_is():
    with serving() as does:
        assert refusal(does.address, model="mine") == (
            f"{does.address}: has no model mine (it has: fake); name one under `model:`"
        )
        does.models = ("a", "b")
        assert "lists 2 models (a, b); name one" in refusal(does.address)


def test_a_server_that_echoes_any_name_proves_none():
    with serving(echoes=True) as does:
        assert "has no model mine (it has: fake)" in refusal(does.address, model="mine")


def test_a_server_that_lists_other_models_but_knows_this_one_alone_is_believed():
    """As `transformers serve` does for a model of a directory."""
    with serving(models=("here",), listed=("fake",)) as does:
        assert look(asked_of(does, model="here"), IDS, "text").model == "here"
        assert "has no model there (it has: fake)" in refusal(does.address, model="there")


def test_a_server_that_fails_to_list_its_models_is_asked_for_the_one_that_is_named():
    with serving(lists=False) as does:
        assert look(asked_of(does, model="fake"), IDS, "text").model == "fake"
        assert "has no model mine (it has: none)" in refusal(does.address, model="mine")
        assert "no OpenAI-compatible server" in refusal(does.address)


def test_an_answer_by_another_models_name_is_one_line():
    with serving(answers_as="other") as does:
        assert "was asked for fake and answers as other" in refusal(does.address)


@pytest.mark.parametrize("name", ["fake@main", "fake-2024-08-06"])
def test_a_revision_behind_the_name_is_no_other_model(name):
    with serving(answers_as=name) as does:
        assert look(asked_of(does), IDS, "text").model == "fake"


def test_what_a_server_says_names_it():
    with serving(version="0.11.0") as one, serving() as other:
        said, others = (look(asked_of(does), IDS, "text") for does in (one, other))
        assert said.stated == {
            "address": one.address, "model": "fake", "takes_ids": True, "owned_by": "tests", "software": "fake/1",
            "version": "0.11.0", "fingerprint": "fp",
        }  # fmt: skip
        assert said.label == f"fake at {one.address} (tests 0.11.0)"
        assert said.revision != others.revision


def test_a_server_that_takes_no_ids_gets_text():
    with serving(takes_ids=False) as does:
        assert not look(asked_of(does), IDS, "text").takes_ids


KEY = "sk-do-not-tell"


def test_a_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("OWN_KEY", KEY)
    with serving(key=KEY) as does:
        said = look(asked_of(does, api_key_env="OWN_KEY"), IDS, "text")
        assert {headers["Authorization"] for headers in does.headers} == {f"Bearer {KEY}"}
        assert KEY not in str(said)
        assert KEY not in server.to_json(asked_of(does, api_key_env="OWN_KEY"), said)


@pytest.mark.parametrize(
    ("asked", "value", "words"),
    [
        ({}, None, "wants a key (status 401); export it, and name its variable under api_key_env"),
        ({"api_key_env": "OWN_KEY"}, None, "OWN_KEY holds no key; export it"),
        ({"api_key_env": "OWN_KEY"}, "a\nb", "OWN_KEY holds no key; export it"),
        ({"api_key_env": "OWN_KEY"}, "sk-wrong", "refuses the key in OWN_KEY (status 401)"),
    ],
)
def test_a_key_that_is_missing_or_wrong_is_one_line_without_it(monkeypatch, asked, value, words):
    monkeypatch.setenv("OWN_KEY", value) if value else monkeypatch.delenv("OWN_KEY", raising=False)
    with serving(key=KEY) as does:
        line = refusal(does.address, **asked)
    assert words in line
    assert not value or value not in line


def test_a_server_that_redirects_is_not_followed():
    """A key would go where the pair's file did not say."""
    with serving() as elsewhere, serving(redirects_to=elsewhere.address) as does:
        assert "status 307" in refusal(does.address)
        assert elsewhere.headers == []


def test_what_a_cell_states_is_enough_to_ask_again():
    with serving() as does:
        asked = asked_of(does, extra_body='{"top_k": 1}', forced_length='{"ignore_eos": true}', api_key_env="OWN_KEY")
        said = look(server.Asked(does.address), IDS, "text")
        again = server.from_json(server.to_json(asked, said), "OWN_KEY")
        assert again == server.Asked(does.address, "fake", asked.extra_body, asked.forced_length, "OWN_KEY")
