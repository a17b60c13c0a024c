# Every door of the benchmark. `make` alone prints this help, which is made from this file: a line `##@` begins a group
# of doors, `##` after a door says what it does, and a line of `##` before a variable says what it means.
#
# Variables are set with `=`, so that a variable of the shell never replaces one of these. Give them on the command line:
#     make sweep STEPS="16 64 256" PROMPTS=16

## pocket pocket-server 8b 8b-base 8b-shapes 8b-illada-shapes or FILE.yaml
PAIR = pocket
## denoising steps of LLaDA, one cell for each number
STEPS = 4 8 16 32 64 128
## tokens of an answer
GEN = 128
## tokens of a block: it divides GEN, and GEN / BLOCK divides each of STEPS
BLOCK = 32
## how many prompts each model answers
PROMPTS = 32
## rounds: in each, a fresh process for each model runs every cell once
ROUNDS = 3
## where to run: auto, cpu or cuda
DEVICE = auto
## several cards to spread rounds over, with Ray: all, "0 1", UUIDs
DEVICES =
## Ray's cluster whose cards to take: auto, or HOST:PORT
CLUSTER =
## 0 is greedy; above 0 tokens are sampled with float64 noise
TEMPERATURE = 0
## precision in place of the pair's: float32 bfloat16 float16 int8 float8
DTYPE =
## eager, captured (one prompt length); of LLaMA: generate, generate-static
ENGINE =
## LLaDA's output head: official, official-old, lean
HEAD =
## MLflow experiment that holds the runs; the pair's name if not given
STUDY =
## of compare: the names of two studies, "before after"
STUDIES =
## directory of your model, in place of the pair's of its kind
MODEL =
## your prompts: JSON lines with "prompt" and "reference"
PROMPTS_FILE =
## mpnet: BERTScore with a larger encoder than minilm
ENCODER =
## judge of the text: none, or a directory that replaces SmolLM2
JUDGE =
## run again what ended as: oom, timeout, error, violated, unknown
RETRY =
## of likelihood: sharegpt, wikitext (from the hub), text files
TEXT = sharegpt
## of frontier: search as on a device with so much memory
LIMIT_GIB =
## 1: scaling doors, frontier and accuracy print their minutes, run nothing
PLAN =
## of accuracy: names of recipes (configs/recipes), "gsm8k humaneval"
TASKS =
## of accuracy: the recipes' prompt templates, or all; default the first
TEMPLATES =
## of accuracy: LLaDA's, "sampler=threshold threshold=0.9 cache=dual"
DECODER =
## of accuracy: questions that are answered together
BATCH = 1
## of accuracy: the first so many questions of each task alone
LIMIT =
## of accuracy: a folder of tasks in lm-eval's format, with recipes/ in it
TASK_PATH =
## of accuracy: questions in place of the hub's, in files TASK/test.jsonl
DATA =
## of accuracy: yes runs, shut in, the programs that a model writes
RUN_CODE =
## of load: an OpenAI-compatible server, such as http://127.0.0.1:8000/v1
URL =
## of load: the model's name there; default the only one that it serves
SERVED =
## of load: requests under way at once, a cell for each number
CONCURRENCY = 1 2 4 8 16 32
## of load: a good answer's first token comes within so many seconds
TTFT_LIMIT_S = 2
## of load: and each further one within so many milliseconds on average
GAP_LIMIT_MS = 100
## of load: yes loads a server that is not on this machine
REMOTE =
## of verify: a directory of golden vectors in place of tests/golden
GOLDEN =
## 1: print every table of the study, also what was measured before
VERBOSE =
## the Python from which setup makes .venv, 3.11 to 3.13
PYTHON = python3
## the Python that runs everything; another one is used without setup
PY = .venv/bin/python

# Which door reads which variables, beside PY and PYTHON, which all read; a door that is not here reads no others.
# A variable on the command line that no door of that command reads is refused below, so that none is dropped unseen.
several_cards = DEVICES CLUSTER
cells = PAIR DEVICE $(several_cards) STUDY MODEL DTYPE TEMPERATURE ENCODER JUDGE RETRY VERBOSE
answers = $(cells) ROUNDS GEN PROMPTS PROMPTS_FILE ENGINE
denoising = STEPS BLOCK HEAD
scaled = $(cells) ROUNDS PROMPTS_FILE PLAN
reads_help = $(variables)
reads_study = $(answers) $(denoising)
reads_baseline = $(answers)
reads_sweep = $(answers) $(denoising)
reads_tasks = $(cells) ROUNDS
reads_smoke = $(cells) PROMPTS_FILE
reads_plan = $(filter-out VERBOSE $(several_cards),$(answers)) $(denoising) LIMIT_GIB
reads_score = $(filter-out $(several_cards),$(answers)) $(denoising)
reads_likelihood = PAIR DEVICE STUDY MODEL TEXT VERBOSE
reads_accuracy = PAIR DEVICE STUDY MODEL DTYPE ENGINE HEAD STEPS GEN BLOCK TEMPERATURE PLAN TASKS TEMPLATES DECODER BATCH \
	LIMIT TASK_PATH DATA RUN_CODE
reads_load = PAIR STUDY GEN PROMPTS PROMPTS_FILE ROUNDS URL SERVED CONCURRENCY TTFT_LIMIT_S GAP_LIMIT_MS REMOTE
reads_scaling = $(scaled)
reads_batch = $(scaled)
reads_length = $(scaled)
reads_prompt = $(scaled)
reads_corners = $(scaled)
reads_decoders = $(scaled) PROMPTS
reads_attention = $(scaled)
reads_values = $(scaled)
reads_memory = $(filter-out ROUNDS,$(scaled))
reads_frontier = PAIR DEVICE STUDY MODEL LIMIT_GIB RETRY PLAN VERBOSE
reads_engines = PAIR DEVICE MODEL
reads_ceilings = PAIR DEVICE STUDY MODEL DTYPE
reads_predictions = PAIR
reads_paper = PAIR STUDY VERBOSE
reads_samples = PAIR STUDY
reads_restore = STUDY
reads_record = STUDY
reads_compare = STUDIES VERBOSE
reads_verify = PAIR DEVICE MODEL GOLDEN
reads_agreement = PAIR DEVICE MODEL STUDY PROMPTS DTYPE
reads_doctor = PAIR DEVICE MODEL
reads_selfcheck = DEVICE ROUNDS
reads_tenant-check = PAIR
reads_neighbours = PAIR DEVICE $(several_cards) ROUNDS ENGINE

export MLFLOW_DISABLE_TELEMETRY = true
export TOKENIZERS_PARALLELISM = false

.NOTPARALLEL:
.DEFAULT_GOAL = help
doors = study baseline sweep tasks smoke plan score likelihood accuracy load \
	scaling batch length prompt corners attention values memory frontier engines decoders ceilings predictions \
	paper samples ui restore record compare verify agreement doctor selfcheck tenant-check neighbours help setup pair test lint clean
.PHONY: $(doors)

# The check of what was typed. A door that does not exist is left to make, which says so.
this_file = $(firstword $(MAKEFILE_LIST))
variables := $(shell sed -n 's/^\([A-Z_]*\) =.*/\1/p' $(this_file))
typed_doors = $(or $(MAKECMDGOALS),help)
typed_variables := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
unknown := $(firstword $(filter-out $(variables) SHELL MAKEFLAGS,$(typed_variables)))
own := $(sort $(foreach door,$(typed_doors),$(reads_$(door))))
unread := $(if $(filter-out $(doors),$(typed_doors)),,$(firstword \
	$(filter-out PY PYTHON $(own),$(filter $(variables),$(typed_variables)))))
quoted = '$(subst ','\'',$(1))'
closest = import difflib, sys; print(difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1, 0)[0])
ifneq ($(unknown),)
nearest := $(shell $(or $(wildcard $(PY)),$(PYTHON)) -c '$(closest)' $(call quoted,$(unknown)) $(variables) 2>/dev/null)
hint := $(if $(nearest),did you mean $(nearest)? )
$(error $(unknown)=$($(unknown)): there is no variable $(unknown); $(hint)`make` lists them all)
endif
ifneq ($(unread),)
$(error $(unread)=$($(unread)): `make $(typed_doors)` does not use $(unread); it uses $(or $(own),no variable of its own))
endif

# A .venv that is there keeps its Python, unless another is asked for.
wanted_python = $(if $(filter PYTHON,$(typed_variables)),$(PYTHON),$(firstword $(wildcard .venv/bin/python) $(PYTHON)))
study_name = $(if $(STUDY),$(STUDY),$(basename $(notdir $(PAIR))))
verbose = $(if $(VERBOSE),--verbose)
model_option = $(if $(MODEL),--model "$(MODEL)")
study_option = $(if $(STUDY),--study "$(STUDY)")
plan_option = $(if $(PLAN),--plan)
cards_options = $(if $(DEVICES),--devices "$(DEVICES)") $(if $(CLUSTER),--cluster "$(CLUSTER)")
# Options of bench.run. Those of tasks, smoke and scaling; the number of rounds; those of answers; those of denoising.
cell_options = --pair "$(PAIR)" --device "$(DEVICE)" --temperature "$(TEMPERATURE)" $(if $(DTYPE),--dtype "$(DTYPE)") \
	$(cards_options) $(study_option) $(model_option) $(if $(PROMPTS_FILE),--prompts-file "$(PROMPTS_FILE)") \
	$(if $(ENCODER),--encoder "$(ENCODER)") $(if $(JUDGE),--judge "$(JUDGE)") $(if $(RETRY),--retry "$(RETRY)") $(verbose)
round_options = --ceilings --rounds "$(ROUNDS)"
answer_options = $(cell_options) $(round_options) --gen "$(GEN)" --prompts "$(PROMPTS)" $(if $(ENGINE),--engine "$(ENGINE)")
denoising_options = --steps "$(STEPS)" --block "$(BLOCK)" $(if $(HEAD),--head "$(HEAD)")
baseline_grid = configs/grids/baseline.yaml
sweep_grid = configs/grids/sweep.yaml
# Grids after `--also` keep their own lengths, steps and prompts. A pair that was not taught the tasks goes without them.
tasks_grids = configs/grids/tasks.yaml configs/grids/problems.yaml
ends_grid = configs/grids/ends.yaml
few_grids = configs/grids/batch-few.yaml configs/grids/memory-few.yaml
timed_grids = $(foreach name,batch length prompt attention engines values,configs/grids/$(name).yaml)
timed_run = $(PY) -m bench.run --also $(timed_grids) $(cell_options) $(round_options)
# Peak memory does not vary from round to round, so this grid runs in one.
memory_run = $(PY) -m bench.run --also configs/grids/memory.yaml $(cell_options) --ceilings --rounds 1
study_cells = $(baseline_grid) $(sweep_grid) $(answer_options) $(denoising_options) --also $(tasks_grids) $(ends_grid) $(few_grids)
frontier_run = $(PY) -m bench.frontier --pair "$(PAIR)" --device "$(DEVICE)" $(study_option) $(model_option) \
	$(if $(LIMIT_GIB),--limit-gib "$(LIMIT_GIB)") $(if $(RETRY),--retry "$(RETRY)")

load_run = $(PY) -m bench.loadtest --url "$(URL)" --pair "$(PAIR)" --prompts "$(PROMPTS)" --gen "$(GEN)" \
	--concurrency "$(CONCURRENCY)" --rounds "$(ROUNDS)" --ttft-limit-s "$(TTFT_LIMIT_S)" --gap-limit-ms "$(GAP_LIMIT_MS)" $(study_option) \
	$(if $(SERVED),--served "$(SERVED)") $(if $(PROMPTS_FILE),--prompts-file "$(PROMPTS_FILE)") \
	$(if $(REMOTE),--remote "$(REMOTE)")

# What pip says while it installs, as a line that counts the packages; on a terminal the line stays in its place.
install = PYTHONUNBUFFERED=1 $(PY) -m pip install --progress-bar off --disable-pip-version-check
count_packages = { count=0; start=''; end='\n'; [ -t 2 ] && start='\r\033[K' end=''; \
	while read -r word name rest; do case "$$word" in \
	Collecting) count=$$((count + 1)); printf "$$start  package %d: %s$$end" "$$count" "$$name" >&2 ;; \
	Installing) printf "$$start  all packages are here; unpacking them\n" >&2 ;; \
	esac; done; }

# lm-evaluation-harness is installed when it is first needed; `setup`, which makes .venv anew, forgets it.
install_harness = stamp=".venv/.harness-$$(cksum < configs/requirements-accuracy.txt | tr -d ' ')"; [ -e "$$stamp" ] || { \
	echo "installing lm-evaluation-harness, once: 26 packages, 140 MB, about 20 s on a fast line" >&2; \
	{ $(install) -r configs/requirements-accuracy.txt && touch "$$stamp"; } | $(count_packages); \
	[ -e "$$stamp" ] || { echo "error: lm-evaluation-harness is not installed, see above" >&2; exit 2; }; }

# AIPerf is installed when it is first needed, in an environment of its own: it wants other versions than we measure with.
install_load = stamp=".venv-load/.fresh-$$(cksum < configs/requirements-load.txt | tr -d ' ')"; [ -e "$$stamp" ] || { \
	$(load_run) --check && echo "setting up .venv-load, once: AIPerf, 140 packages, 1.2 GB, some minutes" >&2 && \
	$(PY) -m venv --clear .venv-load && { PYTHONUNBUFFERED=1 .venv-load/bin/python -m pip install --progress-bar off \
		--disable-pip-version-check -r configs/requirements-load.txt && touch "$$stamp"; } | $(count_packages) && \
	{ [ -e "$$stamp" ] || { echo "error: .venv-load is not whole, see above" >&2; exit 2; }; }; }

# For the help: the variables, each as one would type it, with its present value.
value_of = $(if $(filter STUDY,$(1)),$(study_name),$($(1)))
typed = $(1)=$(if $(word 2,$(value_of)),"$(value_of)",$(value_of))

##@ Study: what both models cost and how good their text is

study: setup ## the whole study: baseline, sweep, tasks, some batches, scored, reported
	@$(PY) -m bench.run $(study_cells) --no-report || [ $$? -eq 1 ]  # a failed cell is reported
	@$(PY) -m paper.build "$(study_name)" $(verbose)

baseline: setup ## LLaMA: latency, throughput, memory, quality
	@$(PY) -m bench.run $(baseline_grid) $(answer_options)

sweep: setup ## LLaDA at each number of denoising steps in STEPS
	@$(PY) -m bench.run $(sweep_grid) $(answer_options) $(denoising_options)

tasks: setup ## both models on generated tasks and word problems, checked by rule
	@$(PY) -m bench.run --also $(tasks_grids) $(cell_options) $(round_options)

smoke: STUDY = smoke
smoke: setup ## two small cells in a minute: does everything work here?
	@$(PY) -m bench.run configs/grids/smoke.yaml $(cell_options) --rounds 1

plan: setup ## the cells of study and scaling and their minutes; runs nothing
	@$(PY) -m bench.run $(study_cells) --plan
	@echo
	@$(timed_run) --plan
	@echo
	@$(memory_run) --plan
	@echo
	@$(frontier_run) --plan

score: setup ## score the texts that have no scores yet
	@$(PY) -m bench.run $(study_cells) --score-only

likelihood: setup ## bits per byte of held-out text (TEXT), once for each model
	@$(PY) -m bench.perplexity --pair "$(PAIR)" --text $(TEXT) --device "$(DEVICE)" $(study_option) $(model_option) $(verbose)

# Steps, lengths and temperature are the recipes', unless they are given.
accuracy: STEPS =
accuracy: GEN =
accuracy: BLOCK =
accuracy: TEMPERATURE =
accuracy: setup ## accuracy in lm-evaluation-harness's TASKS, under their authors' recipes
	@$(if $(filter .venv/bin/python,$(PY)),$(install_harness))
	@$(PY) -m bench.harness --pair "$(PAIR)" --device "$(DEVICE)" --tasks "$(TASKS)" --batch "$(BATCH)" \
		$(study_option) $(model_option) $(if $(TEMPLATES),--templates "$(TEMPLATES)") $(if $(STEPS),--steps "$(STEPS)") \
		$(if $(GEN),--gen "$(GEN)") $(if $(BLOCK),--block "$(BLOCK)") $(if $(TEMPERATURE),--temperature "$(TEMPERATURE)") \
		$(if $(DECODER),--decoder "$(DECODER)") $(if $(HEAD),--head "$(HEAD)") $(if $(ENGINE),--engine "$(ENGINE)") \
		$(if $(DTYPE),--dtype "$(DTYPE)") $(if $(LIMIT),--limit "$(LIMIT)") $(if $(TASK_PATH),--task-path "$(TASK_PATH)") \
		$(if $(DATA),--data "$(DATA)") $(if $(RUN_CODE),--run-code "$(RUN_CODE)") $(plan_option)

load: setup ## a server behind URL under load: throughput, first token, gaps, goodput
	@$(install_load)
	@$(load_run)

##@ Scaling and cost: how both models grow, with lengths and prompts of their own (PLAN=1: minutes)

scaling: setup ## all of batch, length, prompt, attention, engines, values, memory
	@$(timed_run) $(plan_option) || [ $$? -eq 1 ]  # a failed cell is reported
	@$(memory_run) $(plan_option) || [ $$? -eq 1 ]

batch length prompt corners attention values: setup
	@$(PY) -m bench.run --also configs/grids/$@.yaml $(cell_options) $(round_options) $(plan_option)
batch: ## throughput over the batch
length: ## latency over the length of the answer
prompt: ## latency over the length of the prompt
corners: ## LLaDA over LLaMA over batch and length together (not in scaling)
decoders: setup ## LLaDA's samplers and caches, on PROMPTS questions and on tasks (not in scaling)
	@$(PY) -m bench.run configs/grids/decoders.yaml --also configs/grids/decoders-tasks.yaml \
		$(cell_options) $(round_options) $(if $(filter PROMPTS,$(typed_variables)),--prompts "$(PROMPTS)") $(plan_option)
attention: ## fused attention against plain products, which need quadratic memory
values: ## do the values of the weights matter for time?

memory: setup ## peak memory over batch and length, out of memory included
	@$(memory_run) $(plan_option)

frontier: setup ## the largest batch that fits at each length
	@$(frontier_run) $(plan_option) $(verbose)

engines: setup ## one forward on each engine and output head, side by side
	@$(PY) -m bench.ladder --pair "$(PAIR)" --device "$(DEVICE)" $(model_option)

ceilings: setup ## the most that this device can do: products, reads, host
	@$(PY) -m bench.ceilings --pair "$(PAIR)" --device "$(DEVICE)" $(study_option) $(model_option) $(if $(DTYPE),--dtype "$(DTYPE)")

predictions: PAIR = 8b-shapes
predictions: setup ## what the cost model says of published cards; runs nothing
	@$(PY) -m bench.predictions --pair "$(PAIR)"

##@ Results: what has been measured

paper: setup ## tables, figures and report.pdf from the tracked runs of STUDY
	@$(PY) -m paper.build "$(study_name)" $(verbose)

samples: setup ## a prompt and a task with the answers of every model
	@$(PY) -m bench.report "$(study_name)" samples

ui: setup ## MLflow's pages at http://127.0.0.1:5000
	@$(PY) -m bench.ui

restore: setup ## bring a published study (STUDY=NAME, paper/recorded) into MLflow
	@$(PY) -m bench.tracking restore "$(STUDY)"

record: setup ## publish a study of this machine (STUDY=NAME) in paper/recorded
	@$(PY) -m bench.record "$(STUDY)"

compare: setup ## two studies side by side (STUDIES="a b"): two cards, two commits
	@$(PY) -m paper.compare $(foreach name,$(STUDIES),"$(name)") $(verbose)

##@ Trust: can code, machine and numbers be believed?

verify: setup ## golden vectors of the official LLaDA (PAIR=8b: its weights)
	@$(PY) -m bench.verify --pair "$(PAIR)" --device "$(DEVICE)" $(model_option) $(if $(GOLDEN),--golden "$(GOLDEN)")

agreement: PROMPTS = 4
agreement: setup ## does LLaDA with a cache say what LLaDA says? does a lower precision?
	@$(PY) -m bench.agreement --pair "$(PAIR)" --device "$(DEVICE)" --prompts "$(PROMPTS)" $(study_option) $(model_option) \
		$(if $(DTYPE),--dtype "$(DTYPE)")

doctor: setup ## is this machine ready? do the models of PAIR load?
	@$(PY) -m bench.doctor --pair "$(PAIR)" --device "$(DEVICE)" $(model_option)

selfcheck: setup ## can the numbers of this machine be believed?
	@$(PY) -m bench.selfcheck --device "$(DEVICE)" --rounds "$(ROUNDS)"

tenant-check: setup ## does the verdict notice a second process on the GPU?
	@$(PY) -m bench.tenant --pair "$(PAIR)"

neighbours: DEVICES = all
neighbours: setup ## do several cards of a host disturb each other?
	@$(PY) -m bench.neighbours --pair "$(PAIR)" --device "$(DEVICE)" --rounds "$(ROUNDS)" $(cards_options) $(if $(ENGINE),--engine "$(ENGINE)")

##@ Upkeep

help: ## this help
	@echo "LLaDA against LLaMA: what does a diffusion language model cost at inference?"
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(this_file)
	@printf '\nVariables with their present values, to be given after the door: make sweep STEPS="16 64"\n'
	@{ $(foreach name,$(variables),echo $(call quoted,$(call typed,$(name)));) } | awk ' \
		NR == FNR {typed[NR] = $$0; next} \
		/^## / {meaning = substr($$0, 4)} \
		/^[A-Z_]+ =/ {printf "  %-25s %s\n", typed[++seen], meaning}' - $(this_file)

setup: ## make .venv with the pinned packages; the other doors do this too
ifeq ($(PY),.venv/bin/python)
	@command -v "$(PYTHON)" >/dev/null || { echo "error: no $(PYTHON) here; give PYTHON=/path/to/python3.11" >&2; exit 2; }
	@fresh=".venv/.fresh-$$({ cat requirements.txt configs/requirements-nodeps.txt; "$(wanted_python)" -V; } | cksum | tr -d ' ')"; \
	[ -e "$$fresh" ] && { $(if $(filter setup,$(typed_doors)),echo "setup: nothing to do; .venv is complete";) exit 0; }; \
	"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "error: $$($(PYTHON) -V) is outside 3.11 to 3.13; give PYTHON=/path/to/python3.11" >&2; exit 2; }; \
	echo "setting up .venv, once: about three minutes on a fast line, longer on a slow one (torch is the largest part)" >&2; \
	"$(PYTHON)" -m venv --clear .venv && \
	{ $(install) -r requirements.txt && $(install) --no-deps -r configs/requirements-nodeps.txt && touch .venv/.whole; } \
		| $(count_packages); \
	[ -e .venv/.whole ] || { echo "error: .venv is not whole, see above; give the same command again" >&2; exit 2; }; \
	touch ".venv/.fresh-$$({ cat requirements.txt configs/requirements-nodeps.txt; $(PY) -V; } | cksum | tr -d ' ')"
endif

pair: setup ## train the pocket pair anew (minutes on a GPU, hours on a CPU)
	@rm -rf .cache/equal bench/pocket/*-training.json
	@mkdir -p .cache/pair && cp bench/pocket/tokenizer/tokenizer.json .cache/pair/
	@$(PY) -m bench.train --model llama
	@$(PY) -m bench.train --model llada --minutes-of llama --out .cache/equal
	@$(PY) -m bench.train --model llada --start-from bench/pocket/llama
	@$(PY) -m bench.pair --equal-budget .cache/equal

test: setup ## the tests that take minutes; `pytest -m slow` has the others
	@HF_HUB_OFFLINE=1 $(PY) -m pytest -q -m "not slow" -n 2 --dist worksteal --durations=10

lint: setup ## check the style
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

clean: ## remove what was built or cached; measurements and .venv stay
	@rm -rf paper/build paper/compared .cache/work .cache/prompts .pytest_cache .ruff_cache .hypothesis
	@find bench paper tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "cleaned; measurements are in mlruns/ and mlflow.db, delete them by hand"
