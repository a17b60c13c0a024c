"""Which tensor lies in which file of weights, read from the files' headers alone, without torch.

A safetensors file begins with the length of its header in eight bytes, then the header: a JSON object that gives the
dtype, the shape and the place of each tensor. Source: https://github.com/huggingface/safetensors, `Format`. So a wrong
name, a wrong shape, a quantised tensor and a download that was cut short are all refused before anything loads.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.common.errors import BadInput
from bench.models.json_file import POINTER, POINTER_REMEDY, read_json
from bench.models.kind import Kind
from bench.models.shape import Shape

LENGTH_BYTES = 8  # of the header's length, little-endian
MOST_HEADER_BYTES = 100_000_000  # what safetensors itself accepts
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # bytes of an element, by the dtypes that weights may have
READ_AT_ONCE_BYTES = 16 << 20  # of two tensors that are compared
# Ends of names that old files hold beside the parameters: they follow from config.json, and transformers ignores them.
IGNORED_ENDS = ("rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached")
HEAD = "lm_head.weight"
EMBEDDING = "model.embed_tokens.weight"


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, as the header describes it."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int  # byte in the file where it begins
    size_bytes: int


def parameters(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(name in transformers' `LlamaForCausalLM`, shape) of each parameter of a body."""
    yield EMBEDDING, (shape.vocabulary, shape.width)
    for layer in range(shape.layers):
        for name, size in layer_parameters(shape):
            yield f"model.layers.{layer}.{name}", size
    yield "model.norm.weight", (shape.width,)
    if not shape.tied:
        yield HEAD, (shape.vocabulary, shape.width)


def layer_parameters(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(name inside a layer, shape) of each of its parameters. Matrices are [out, in]."""
    asking, answering = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    matrices = (
        ("self_attn.q_proj", asking, shape.width, shape.attention_bias),
        ("self_attn.k_proj", answering, shape.width, shape.attention_bias),
        ("self_attn.v_proj", answering, shape.width, shape.attention_bias),
        ("self_attn.o_proj", shape.width, asking, shape.attention_bias),
        ("mlp.gate_proj", shape.feed_forward, shape.width, shape.feed_forward_bias),
        ("mlp.up_proj", shape.feed_forward, shape.width, shape.feed_forward_bias),
        ("mlp.down_proj", shape.width, shape.feed_forward, shape.feed_forward_bias),
    )
    for name, rows, columns, has_bias in matrices:
        yield f"{name}.weight", (rows, columns)
        if has_bias:
            yield f"{name}.bias", (rows,)
    yield "input_layernorm.weight", (shape.width,)
    yield "post_attention_layernorm.weight", (shape.width,)


def stored_tensors(file: Path) -> dict[str, Stored]:
    """The tensors of a safetensors file by name. Raises BadInput for a file that is none, or not whole."""
    file_bytes = file.stat().st_size
    with open(file, "rb") as stream:
        beginning = stream.read(max(LENGTH_BYTES, len(POINTER)))
        if beginning.startswith(POINTER):
            raise BadInput(f"{file}: {POINTER_REMEDY}")
        length = int.from_bytes(beginning[:LENGTH_BYTES], "little")
        if len(beginning) < LENGTH_BYTES or length > MOST_HEADER_BYTES:
            raise BadInput(f"{file}: is no safetensors file; download it again, or convert the weights to safetensors")
        if LENGTH_BYTES + length > file_bytes:
            raise cut_short(file, file_bytes)
        stream.seek(LENGTH_BYTES)
        text = stream.read(length)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        tensors = {name: stored(file, LENGTH_BYTES + length, name, entry) for name, entry in header.items()}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise BadInput(f"{file}: its header is no safetensors header; download the file again") from error
    end = end_of_tensors(file, tensors, LENGTH_BYTES + length)
    if end > file_bytes:
        raise cut_short(file, file_bytes, end)
    if end < file_bytes:
        raise BadInput(f"{file}: holds {file_bytes - end} bytes behind its last tensor; download it again")
    return tensors


def end_of_tensors(file: Path, tensors: dict[str, Stored], start: int) -> int:
    """The byte behind the last tensor. Raises BadInput where the tensors do not follow each other without a gap, from
    `start` on, as safetensors asks."""
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.start, tensor.size_bytes)):
        if tensor.start != start:
            raise BadInput(f"{file}: tensor {tensor.name} does not begin where the one before ends; download it again")
        start += tensor.size_bytes
    return start


def stored(file: Path, data_start: int, name: str, entry: dict) -> Stored:
    """A tensor from its entry in the header. Raises one of the errors of a dict or a number for a broken entry."""
    begin, end = map(int, entry["data_offsets"])
    shape = tuple(map(int, entry["shape"]))
    size = SIZES.get(entry["dtype"])
    if begin < 0 or end < begin or (size is not None and math.prod(shape) * size != end - begin):
        raise ValueError("the size of a tensor is not that of its shape")
    return Stored(file, name, entry["dtype"], shape, data_start + begin, end - begin)


def cut_short(file: Path, file_bytes: int, whole_bytes: int | None = None) -> BadInput:
    """The error for a file that ends too early."""
    of = "" if whole_bytes is None else f" of {whole_bytes:,}"
    return BadInput(f"{file}: was cut short, {file_bytes:,} bytes{of} are there; download it again")


def find(files: list[Path], kind: Kind, shape: Shape) -> dict[str, Stored]:
    """Where each parameter of a body lies, by its name in `LlamaForCausalLM`.

    Raises BadInput, naming the file and the tensor, unless the files hold exactly the parameters, in a float dtype and
    in their shapes. Beside them only a tied head and rotary frequencies may be there.
    """
    tensors = all_tensors(files, kind)
    for tensor in tensors.values():
        if tensor.dtype not in SIZES:
            raise BadInput(
                f"{tensor.file}: tensor {tensor.name} has dtype {tensor.dtype}, so the weights are quantised; give the"
                " checkpoint before it was quantised (DTYPE=int8 quantises it here)"
            )
    places = {}
    for name, size in parameters(shape):
        tensor = tensors.pop(kind.parameter_name(name), None)
        if tensor is None:
            raise missing(kind.parameter_name(name), tensors, files[0].parent)
        if tensor.shape != size:
            raise BadInput(
                f"{tensor.file}: tensor {tensor.name} has shape {list(tensor.shape)}, not {list(size)} as config.json"
                " says"
            )
        places[name] = tensor
    tied_head = tensors.pop(kind.parameter_name(HEAD), None) if shape.tied else None
    if tied_head and not hold_the_same(tied_head, places[EMBEDDING]):
        raise BadInput(
            f"{tied_head.file}: tensor {tied_head.name} is not the embedding, but {kind.configuration.keys.tied} is"
            " true in config.json; set it to false there"
        )
    if tensors:
        tensor = next(iter(tensors.values()))
        raise BadInput(f"{tensor.file}: tensor {tensor.name} is not part of this architecture as config.json says it")
    return places


def missing(name: str, others: dict[str, Stored], directory: Path) -> BadInput:
    """The error for a tensor that no file has; it names one that differs in the beginning of its name alone."""
    like = next((f"; there is {other.name} in its place" for other in others.values() if other.name.endswith(name)), "")
    return BadInput(f"{directory}: tensor {name} is missing from the weights{like}")


def all_tensors(files: list[Path], kind: Kind) -> dict[str, Stored]:
    """The tensors of all files under the names that a kind gives to whole models, without those that are ignored."""
    tensors: dict[str, Stored] = {}
    for file in files:
        for tensor in stored_tensors(file).values():
            if tensor.name.endswith(IGNORED_ENDS):
                continue
            name = whole_name(tensor.name, kind)
            if name in tensors:
                raise BadInput(f"{file}: tensor {tensor.name} is also in {tensors[name].file}; one of them must go")
            tensors[name] = tensor
    return tensors


def whole_name(name: str, kind: Kind) -> str:
    """A tensor's name as a whole model has it: files that were saved without the head lack its beginning."""
    top = kind.parameter_name(EMBEDDING)
    whole_beginning = top[: top.rindex(".", 0, top.rindex("."))] + "."  # up to the embedding's own name
    if name.startswith(whole_beginning) or name == kind.parameter_name(HEAD):
        return name
    for prefix in kind.name_prefixes:
        if (prefix + name).startswith(whole_beginning):
            return prefix + name
    return name


def hold_the_same(first: Stored, second: Stored) -> bool:
    """Whether two tensors hold the same numbers, bit for bit."""
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    changed = first.file.stat().st_mtime_ns, second.file.stat().st_mtime_ns
    return _hold_the_same(first, second, changed)


@cache  # a study asks again and again, and the two may have a gigabyte
def _hold_the_same(first: Stored, second: Stored, changed_ns: tuple[int, int]) -> bool:
    with open(first.file, "rb") as first_stream, open(second.file, "rb") as second_stream:
        first_stream.seek(first.start)
        second_stream.seek(second.start)
        for done in range(0, first.size_bytes, READ_AT_ONCE_BYTES):
            size = min(READ_AT_ONCE_BYTES, first.size_bytes - done)
            if first_stream.read(size) != second_stream.read(size):
                return False
    return True


def check_index(index: Path) -> list[str]:
    """The names of the shards that an index lists. Raises BadInput for an index that a shard contradicts."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise BadInput(f"{index}: weight_map is missing; it says which shard holds which tensor")
    for name in sorted(set(places.values())):
        file = index.parent / name
        if not file.is_file():
            raise BadInput(f"{file}: weights are missing, though {index.name} lists this shard; download it again")
        lacking = {tensor for tensor, holder in places.items() if holder == name} - set(stored_tensors(file))
        if lacking:
            reason = f"has no tensor {min(lacking)}, though {index.name} says so"
            raise BadInput(f"{file}: {reason}; they are not of one model, so download both again")
    return sorted(set(places.values()))
