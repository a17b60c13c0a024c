"""What must be said where a model is behind an address: what is not held equal then, and what nobody can know."""

from bench.analysis.comparison import Comparison
from bench.analysis.runs import are_served
from bench.render import wording

WHOLE = (
    "In this study, though, {model} is behind an address: its body, engine, precision and device are its server's,"
    " which does not tell them, so that none of these is held equal. Its times have the server's queue and the way"
    " there in them. Its forwards, memory and energy cannot be known, and stand nowhere."
)
SHORT = "Here {model} is asked of a server, which has a body, a device and a precision of its own."
MEMORY = "What {model} needs on its server cannot be seen from here."


def of(comparison: Comparison) -> dict[str, str]:
    """The sentences of a comparison with a server by name, and `has_floor` of one whose floor is known."""
    served = comparison.rows[are_served(comparison.rows)]
    if served.empty:
        return {"has_floor": "yes"}
    model = wording.label_of_models(served, with_steps=False)
    sentences = {"say_server": WHOLE, "say_server_short": SHORT, "say_server_memory": MEMORY}
    return {name: text.format(model=model) for name, text in sentences.items()}
