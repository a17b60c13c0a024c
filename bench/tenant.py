"""Does the verdict notice a second tenant? The positive control of exclusivity, on a real card.

python -m bench.tenant [--pair NAME] [--cells WORK]
"""

from __future__ import annotations

import statistics
import sys

from bench.checks import tenant
from bench.common.errors import BadInput, exit_code
from bench.devices import choose, lock
from bench.records import trust
from bench.runner import request
from bench.spec import sentinel


def main() -> int:
    if sys.argv[1:] == ["be-tenant"]:
        tenant.be_tenant()
        return 0
    given = sys.argv[1:] if "--cells" in sys.argv else [sentinel.GRID, "--device", "cuda", *sys.argv[1:]]
    work, _ = request.resolve(request.parse(given + ["--record", "-"] * ("--cells" in given)))
    cell = next((cell for cell in work.cells if cell.twin), None)
    gpu = choose.gpu()
    if cell is None or cell.device != "cuda" or gpu is None:
        raise BadInput("tenant-check needs a GPU and, with --cells, a work folder for it that holds the sentinel")
    with lock.lock(gpu[0], "tenant-check"):
        alone = tenant.measured(work, cell, gpu[0])
        before = statistics.median(call.latency_ms for call in alone.calls)
        print(f"alone:         {before:8.1f} ms, {tenant.describe(alone)}", flush=True)
        if alone.nvml.verdict not in trust.PRINTED:
            raise BadInput("the card is not ours alone without the tenant: the check would prove nothing")
        beside = tenant.disturbed(work, cell, gpu[0], before)
    later = [call.latency_ms for call in beside.calls][len(beside.calls) // 2 :]
    after = statistics.median(later)
    print(f"with a tenant: {after:8.1f} ms, {tenant.describe(beside)}")
    noticed = beside.nvml.verdict == "violated"
    print(
        f"latency moved by a factor of {after / before:.2f}; the tenant was {'noticed' if noticed else 'NOT NOTICED'}"
    )
    return 0 if noticed else 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
