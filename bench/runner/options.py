"""The options of `python -m bench.run`."""

from __future__ import annotations

from pathlib import Path

from bench.common.cli import Parser


def parser(text: str) -> Parser:
    """The options of `python -m bench.run`; text: what its help explains."""
    options = Parser("bench.run", text)
    add = options.add_argument
    add("grids", nargs="*", metavar="GRID.yaml")
    add("--also", nargs="*", default=[], metavar="GRID.yaml", help="grids that keep their own values")
    add("--pair", default="pocket", help="the two models under comparison (configs/pairs)")
    add("--steps", help='denoising steps, "16 64 256"')
    add("--gen", type=int, help="tokens to generate")
    add("--block", type=int, help="LLaDA's block length")
    add("--prompts", type=int, help="number of prompts")
    add("--batch", type=int, help="prompts that are answered together; default: the grid's")
    add("--prompts-file", help="JSON lines with prompt and reference")
    add("--temperature", type=float)
    add("--quality-only", action="store_true", help="for scores alone: no noise checks; of a GPU no energy, no kernels")
    add("--dtype", help="precision, \"bfloat16 int8 float8\"; default: the grid's, else the pair's")
    add("--engine", help='"eager captured generate generate-static", or some of them; default: the grid\'s')
    add("--head", help="of LLaDA: official, official-old, lean, or several; default: the grid's")
    add("--model", help="a directory that replaces the pair's model of its kind")
    add("--encoder", choices=("minilm", "mpnet"), help="BERTScore's; default: the pair's")
    add("--judge", help="smollm2, none, or a directory; default: the pair's")
    add("--rounds", type=int, default=3, help="how often each cell is measured, each time in a fresh process")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--devices", default="", help='cards to spread rounds over, with Ray: all, "0 1", UUIDs; "cpu:0 cpu:1"')
    add("--cluster", default="", help="of Ray, whose cards to take: auto, or HOST:PORT")
    add("--study", help="MLflow experiment; default: the pair's name")
    add("--seed", type=int, default=0, help="of the order of cells")
    add("--retry", default="", help="run again, by outcome or verdict: oom timeout error violated unknown")
    add("--ceilings", action="store_true", help="measure this device's first where the study has none")
    add("--plan", action="store_true", help="print the cells and stop")
    add("--score-only", action="store_true", help="run nothing, score what has no scores")
    add("--no-report", action="store_true", help="do not end with table and verdict")
    add("--verbose", action="store_true", help="end with every table of the study")
    add("--export", type=Path, help="write the work folder and stop")
    add("--cells", type=Path, help="run a work folder")
    add("--record", type=Path, help="with --cells: append records to this file, no MLflow")
    return options
