"""Peak of the bytes that tensors hold, on any device and for fake tensors: what torch's CUDA allocator would count."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Accounting(TorchDispatchMode):
    """Counts every storage from the operation that makes it until nothing refers to it.

    What is there before (weights) is told by `hold`. Composite operations are taken apart, so that what they need on
    their way is seen too; what a kernel allocates inside is not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}  # bytes by storage
        self.now = self.peak = 0

    def hold(self, tensor: torch.Tensor) -> None:
        if type(tensor).__module__.startswith("torchao"):  # it has no memory of its own
            names, _ = tensor.__tensor_flatten__()
            for part in (getattr(tensor, name) for name in names):
                if part is not None:
                    self.hold(part)
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self.alive:
            self.alive[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.forget, key)

    def forget(self, key: int) -> None:
        self.now -= self.alive.pop(key)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is not torch.ops.prim.device.default:
            with self:
                parts = func.decompose(*args, **(kwargs or {}))
                if parts is not NotImplemented:
                    return parts
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.hold(tensor)
        return result
