# Every door of the benchmark. `make` alone prints this help. Variables are set with `=`, so the environment
# never leaks in; give them on the command line: make sweep STEPS="16 64 256" PROMPTS=16

PAIR = pocket
STEPS = 4 8 16 32 64 128
GEN = 128
BLOCK = 32
PROMPTS = 32
ROUNDS = 3
DEVICE = auto
TEMPERATURE = 0
DTYPE =
ENGINE =
HEAD =
STUDY =
MODEL =
PROMPTS_FILE =
ENCODER =
JUDGE =
RETRY =
TEXT = sharegpt
LIMIT_GIB =
PLAN =
GOLDEN = tests/golden
PYTHON = python3
PY = .venv/bin/python

export MLFLOW_DISABLE_TELEMETRY = true
export TOKENIZERS_PARALLELISM = false

.NOTPARALLEL:
.DEFAULT_GOAL = help
.PHONY: help setup plan smoke baseline sweep tasks study scaling batch length prompt memory attention values frontier likelihood score restore paper samples ui pair verify doctor selfcheck tenant-check ceilings predictions engines test lint clean

# A .venv that is there keeps its Python, unless another is asked for.
wanted_python = $(if $(filter command line,$(origin PYTHON)),$(PYTHON),$(firstword $(wildcard .venv/bin/python) $(PYTHON)))
study_name = $(if $(STUDY),$(STUDY),$(basename $(notdir $(PAIR))))
options = --pair "$(PAIR)" --gen "$(GEN)" --prompts "$(PROMPTS)" --rounds "$(ROUNDS)" --device "$(DEVICE)" \
	--temperature "$(TEMPERATURE)" $(if $(DTYPE),--dtype "$(DTYPE)") $(if $(ENGINE),--engine "$(ENGINE)") $(if $(HEAD),--head "$(HEAD)") \
	$(if $(STUDY),--study "$(STUDY)") $(if $(MODEL),--model "$(MODEL)") \
	$(if $(PROMPTS_FILE),--prompts-file "$(PROMPTS_FILE)") $(if $(ENCODER),--encoder "$(ENCODER)") \
	$(if $(JUDGE),--judge "$(JUDGE)") $(if $(RETRY),--retry "$(RETRY)") --ceilings
diffusion = --steps "$(STEPS)" --block "$(BLOCK)"
baseline = configs/grids/baseline.yaml
sweep = configs/grids/sweep.yaml
tasks = configs/grids/tasks.yaml
# Tasks keep their own lengths, steps and prompts; a pair that was not taught them goes without.
# Scaling grids have their own values as well; memory is asked once, since peaks do not vary.
timed = $(foreach name,batch length prompt attention engines values,configs/grids/$(name).yaml)
memory = configs/grids/memory.yaml
planned = $(if $(PLAN),--plan)
frontier = $(PY) -m bench.frontier --pair "$(PAIR)" --device "$(DEVICE)" $(if $(STUDY),--study "$(STUDY)") \
	$(if $(MODEL),--model "$(MODEL)") $(if $(LIMIT_GIB),--limit-gib "$(LIMIT_GIB)")
everything = $(baseline) $(sweep) $(options) $(diffusion) --also $(tasks)

help: ## this help
	@echo "LLaDA against LLaMA: what does a diffusion language model cost at inference?"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  make \1@/p' $(firstword $(MAKEFILE_LIST)) | awk -F@ '{printf "%-21s%s\n", $$1, $$2}'
	@echo
	@echo "Variables, with what they are now:"
	@echo '  PAIR=$(PAIR)  STEPS="$(STEPS)"  GEN=$(GEN)  BLOCK=$(BLOCK)  PROMPTS=$(PROMPTS)  ROUNDS=$(ROUNDS)'
	@echo '  DEVICE=$(DEVICE) (auto, cpu, cuda)  TEMPERATURE=$(TEMPERATURE)  STUDY=$(study_name) (MLflow experiment)'
	@echo '  DTYPE="bfloat16 int8"  precision in place of the pair'"'"'s; int8: weights alone, through torchao'
	@echo '  ENGINE=captured  of baseline and sweep, in place of eager (prompts of one length); HEAD="official lean" of LLaDA'
	@echo '  MODEL=DIR        your model in place of the pair'"'"'s of the same kind (llama or llada)'
	@echo '  PROMPTS_FILE=F   your prompts: JSON lines with "prompt" and "reference"'
	@echo '  RETRY="oom error" run again, by outcome (oom, timeout, error) or verdict (violated, unknown)'
	@echo '  ENCODER=mpnet    BERTScore with a larger encoder; JUDGE=none, or a directory: another judge'
	@echo '  TEXT="sharegpt wikitext FILE"   what likelihood is measured on: held-out answers, the hub'"'"'s WikiText, a file'
	@echo '  LIMIT_GIB=24     of frontier: as on a device with so much memory; PLAN=1: scaling doors and frontier print minutes'
	@echo '  PY=python3       use this Python as it is, without setting up .venv'

setup: ## .venv with the pinned packages; every other door does this when it is stale
ifeq ($(PY),.venv/bin/python)
	@command -v "$(PYTHON)" >/dev/null || { echo "error: no $(PYTHON) here; give PYTHON=/path/to/python3.11" >&2; exit 2; }
	@fresh=".venv/.fresh-$$({ cat requirements.txt configs/requirements-nodeps.txt; "$(wanted_python)" -V; } | cksum | tr -d ' ')"; \
	[ -e "$$fresh" ] && exit 0; \
	"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "error: $$($(PYTHON) -V) is outside 3.11 to 3.13; give PYTHON=/path/to/python3.11" >&2; exit 2; }; \
	echo "setting up .venv (some minutes, once)"; \
	"$(PYTHON)" -m venv --clear .venv && \
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt && \
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r configs/requirements-nodeps.txt && \
	touch ".venv/.fresh-$$({ cat requirements.txt configs/requirements-nodeps.txt; $(PY) -V; } | cksum | tr -d ' ')"
endif

plan: setup ## the cells of a study and of the scaling grids, the frontier's tries, with estimated minutes; runs nothing
	@$(PY) -m bench.run $(everything) --plan
	@echo
	@$(PY) -m bench.run --also $(timed) $(options) --plan
	@echo
	@$(PY) -m bench.run --also $(memory) $(options) --rounds 1 --plan
	@echo
	@$(frontier) --plan

smoke: setup ## two small cells, a minute: does everything work here?
	@$(PY) -m bench.run configs/grids/smoke.yaml --pair "$(PAIR)" --rounds 1 --device "$(DEVICE)" --study $(or $(STUDY),smoke)

baseline: setup ## LLaMA: latency, throughput, memory, quality
	@$(PY) -m bench.run $(baseline) $(options)

sweep: setup ## LLaDA over the denoising steps STEPS
	@$(PY) -m bench.run $(sweep) $(options) $(diffusion)

tasks: setup ## both models on generated tasks, checked by rule (own lengths, steps and prompts)
	@$(PY) -m bench.run --also $(tasks) $(options)

study: setup ## baseline, sweep, tasks and report: the whole study
	@$(PY) -m bench.run $(everything) --no-report || [ $$? -eq 1 ]  # a failed cell is reported
	@$(PY) -m paper.build "$(study_name)"

scaling: setup ## batch, length, prompt, attention, engines, values and memory: how both models grow (PLAN=1: minutes alone)
	@$(PY) -m bench.run --also $(timed) $(options) $(or $(planned),--no-report) || [ $$? -eq 1 ]  # a failed cell is reported
	@$(PY) -m bench.run --also $(memory) $(options) --rounds 1 $(planned) || [ $$? -eq 1 ]

batch length prompt attention values: setup
	@$(PY) -m bench.run --also configs/grids/$@.yaml $(options) $(planned)
batch: ## throughput over the batch (own lengths and prompts, like all scaling grids)
length: ## latency over the length of the answer
prompt: ## latency over the length of the prompt
attention: ## fused attention against plain products: the quadratic memory
values: ## do the values of the weights matter for time? the model's own, heavy tails, zeros

memory: setup ## peak memory over batch and length, out of memory included
	@$(PY) -m bench.run --also $(memory) $(options) --rounds 1 $(planned)

frontier: setup ## the largest batch that fits at each length (LIMIT_GIB: as on a device with so much)
	@$(frontier) $(planned)

score: setup ## score generations that have no scores yet
	@$(PY) -m bench.run $(everything) --score-only

likelihood: setup ## bits per byte of held-out text, once for each model (TEXT)
	@$(PY) -m bench.perplexity --pair "$(PAIR)" --text $(TEXT) --device "$(DEVICE)" $(if $(STUDY),--study "$(STUDY)")

restore: setup ## a published study (paper/recorded) back into MLflow, for paper and ui; STUDY=NAME, never the pair's
	@$(PY) -m bench.tracking restore "$(STUDY)"

paper: setup ## tables, figures and report.pdf from the tracked runs of STUDY
	@$(PY) -m paper.build "$(study_name)"

samples: setup ## a prompt and a task with every model's answer, from the tracked runs
	@$(PY) -m bench.report "$(study_name)" samples

ui: setup ## MLflow's pages at http://127.0.0.1:5000
	@$(PY) -m mlflow ui --host 127.0.0.1 --port 5000

pair: setup ## train the pocket pair anew (minutes on a GPU, over an hour on a CPU)
	@rm -rf .cache/equal bench/pocket/*-training.json
	@$(PY) -m bench.train --model llama
	@$(PY) -m bench.train --model llada --minutes-of llama --out .cache/equal
	@$(PY) -m bench.train --model llada --start-from bench/pocket/llama/model.safetensors
	@$(PY) -m bench.pair --equal-budget .cache/equal

verify: setup ## golden vectors of the official model and sampler, token for token (PAIR=8b: real weights)
	@$(PY) -m bench.verify --golden "$(GOLDEN)" --pair "$(PAIR)" --device "$(DEVICE)"

doctor: setup ## device, packages, LaTeX, disk: one line and one fix each
	@$(PY) -m bench.doctor --device "$(DEVICE)"

selfcheck: setup ## can the numbers of this machine be believed? clock, overhead, coverage, noise, energy
	@$(PY) -m bench.selfcheck --device "$(DEVICE)" --rounds "$(ROUNDS)"

tenant-check: setup ## does the verdict notice a second process on the GPU? (needs one)
	@$(PY) -m bench.tenant --pair "$(PAIR)"

ceilings: setup ## what this device can do at most: matrix peak, read bandwidth, host; for MFU, MBU and predictions
	@$(PY) -m bench.ceilings --pair "$(PAIR)" --device "$(DEVICE)" $(if $(STUDY),--study "$(STUDY)") $(if $(DTYPE),--dtype "$(DTYPE)")

predictions: setup ## what the cost model says of published cards, before anything runs (PAIR=8b-shapes)
	@$(PY) -m bench.predictions --pair "$(if $(filter command line,$(origin PAIR)),$(PAIR),8b-shapes)"

engines: setup ## what engines and the rungs of LLaDA's head cost: one forward each, side by side
	@$(PY) -m bench.ladder --pair "$(PAIR)" --device "$(DEVICE)"

test: setup ## the tests that take minutes; `pytest -m slow` has the others
	@HF_HUB_OFFLINE=1 $(PY) -m pytest -q -m "not slow"

lint: setup ## style
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

clean: ## remove what was built and cached; measurements (mlruns, mlflow.db) and .venv stay
	@rm -rf paper/build .cache/work .cache/prompts .pytest_cache .ruff_cache .hypothesis
	@find bench paper tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "cleaned; measurements are in mlruns/ and mlflow.db, delete them by hand"
