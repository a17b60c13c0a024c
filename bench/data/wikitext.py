"""WikiText-2 from the hub, or a local text file, as paragraphs."""

from pathlib import Path

from bench.common import read
from bench.common.errors import BadInput
from bench.models import hub

WIKITEXT = ("Salesforce/wikitext", "wikitext-2-raw-v1")  # repository on the hub, configuration


def paragraphs_of(source: str) -> list[str]:
    """WikiText-2's test set from the hub, or a local text file, a paragraph a line. Raises BadInput."""
    if source == "wikitext":
        import datasets

        datasets.disable_progress_bars()
        try:
            hub.answers_for_data(WIKITEXT[0])
            return datasets.load_dataset(*WIKITEXT, split="test")["text"]
        except Exception as error:  # whatever the network stack raises; the hub is simply out of reach
            hint = "check the network, or give a local file (TEXT=wiki.test.txt)"
            raise BadInput(f"wikitext: the hub cannot be reached ({type(error).__name__}); {hint}") from None
    if not Path(source).is_file():
        raise BadInput(f"TEXT={source}: expected sharegpt, wikitext (from the hub) or a text file")
    return read.lines_of(Path(source))
