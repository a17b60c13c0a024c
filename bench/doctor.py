"""Is this machine ready for a study? One line for each check, and one fix where something is amiss.

    python -m bench.doctor [--pair NAME] [--model DIR] [--device D]

Looks at Python, the device, the installed packages, LaTeX and free disk space. Then it lists the models of the pair
from their configurations, without their weights: whether they load, parameters, mask token, bytes of keys and values
that a cache keeps of a token, which token a position's logits predict, the engines, and the minutes of a study on the
device, as `make plan` estimates them. Of a model that does not load it names the key of config.json that forbids it.

Exit status 1 if a study could not run here. Without LaTeX a study runs, and only the PDF is not made.
"""

import sys

from bench.checks import machine
from bench.common.cli import Parser
from bench.common.errors import BadInput, exit_code
from bench.devices import choose
from bench.runner.request import is_plan_for_gpu


def main() -> int:
    parser = Parser("bench.doctor", __doc__)
    parser.add_argument("--pair", default="pocket", help="the two models that are listed (configs/pairs)")
    parser.add_argument("--model", help="a directory that replaces the pair's model of its kind")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    args = parser.parse_args()
    checks = machine.checks(args.device)
    for check in checks:
        print(check.lines, flush=True)
    is_ready = all(check.good for check in checks if check.needed)
    return 0 if list_models(args.pair, args.model, args.device) and is_ready else 1


def list_models(name: str, model: str | None, wanted: str) -> bool:
    """Print the models of a pair; whether all of them can be run. Raises BadInput for a pair that there is not."""
    try:
        from bench.checks import models_of_pair
        from bench.spec.pair import read_pair
    except ImportError as error:  # what is missing has been named above, with its fix
        print(f"FAIL  models    cannot be looked at without {error.name}")
        return False
    pair, models = models_of_pair.of_pair(read_pair(name), model)
    minutes, amiss = {}, ""
    if all(each.about or each.server for each in models):
        try:
            device = choose.choose(wanted, here=not is_plan_for_gpu(True, wanted))
            minutes = models_of_pair.minutes(models, pair, device, pair.name)
        except BadInput as error:
            amiss = str(error)
    print(f"\nmodels of {pair.name}, {pair.dtype}")
    print("\n".join(models_of_pair.lines(models, pair, minutes)))
    if minutes:
        total = sum(minutes.values())
        print(f"a study takes about {total:.1f} min on {device}, scoring not counted (an estimate, as in `make plan`)")
    elif amiss:
        print(f"FAIL  study     {amiss}")
    return bool(minutes) and not any(each.fault for each in models)


if __name__ == "__main__":
    sys.exit(exit_code(main))
