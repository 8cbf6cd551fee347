# Every target sets itself up: .venv comes from requirements.lock, models from `ieat models fetch`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PROFILE ?= cpu
OUT ?= data/stage1-2
VENV := .venv
IEAT := $(VENV)/bin/ieat
UV := $(VENV)/bin/uv
FAULTS ?= 200
SEED ?= 0
MINUTES ?= 60
OTHER_PYARROW ?= 17.0.0
TINY := $(CURDIR)/.tiny
NO_MODEL := not models and not engines and not gpu and not slow and not browser and not trainers
UNIT := $(NO_MODEL) and not long
PYTHON_OF = $(CURDIR)/$(VENV)-$(1)/bin/python
ON_CPU := IEAT_TINY=$(TINY) IEAT_VLLM_PYTHON=$(call PYTHON_OF,vllm) IEAT_SPEECH_PYTHON=$(call PYTHON_OF,speech) \
	VLLM_CPU_KVCACHE_SPACE=1
TRAINERS ?= swift trl llamafactory nemo mds
TESTS_OF_swift := test_ms_swift.py test_examples.py::test_ms_swift
TESTS_OF_trl := test_trl.py test_formats.py test_load.py test_examples.py::test_trl test_train_on_it.py
TESTS_OF_llamafactory := test_llamafactory.py test_examples.py::test_llamafactory
TESTS_OF_nemo := test_nemo.py test_examples.py::test_nemo
TESTS_OF_mds := test_mds.py
TINY_AUDIO := $(CURDIR)/.tiny-audio
WITH_TRAINER := PYTHONPATH=tests/trainers/cpu IEAT_SAMPLE=$(CURDIR)/data/sample IEAT_TINY_AUDIO=$(TINY_AUDIO)
TAUGHT_WITH := $(addprefix tests/support/,corpora.py doubles.py $(addprefix tiny/,cosyvoice2.py emotion2vec.py funasr_asr.py \
	lessons.py settings.py teachers.py)) pipelines/stage1-2.yaml $(wildcard prompts/*.yaml prompts/*/*)

# Install into environment $(1) what the arguments $(2) name. uv takes a third of pip's time, but knows nothing of pip's
# configuration (an index of your own, a proxy): where it fails, pip does the same.
define install
UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(UV) pip install -q --python $(1)/bin/python $(2) || \
	$(1)/bin/python -m pip install --disable-pip-version-check --no-compile -q $(2)
endef

.PRECIOUS: $(VENV)-%/.ready
.PHONY: help core setup models engines build-stage1-1 build-stage1-2 build-stage2 sample check-sample check-sample-pyarrow record-sample \
	sample-sources reference docs check test test-unit test-fast test-engines test-trainers test-browser test-slow test-faults test-gpu fuzz audit bench bench-engines bench-vllm bench-scale evaluate-checks evaluate-judge \
	evaluate-kinds evaluate-conflicts lint lock clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | column -t -s "$$(printf '\t')"

core: $(VENV)/.core ## the virtual environment with the core packages alone: no engine

setup: $(VENV)/.ready ## the whole of it, with exactly the versions of requirements.lock

$(VENV)/.core: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check -q -c requirements.lock uv
	$(call install,$(VENV),-c requirements.lock -e .)
	@touch $@

$(VENV)/.check: $(VENV)/.core
	$(call install,$(VENV),-c requirements.lock -e '.[check]')
	@touch $@

$(VENV)/.ready: $(VENV)/.core
	$(call install,$(VENV),-r requirements.lock)
	@touch $@

models: core ## fetch the small real models of the profile (about 1.5 GB, once)
	@$(IEAT) models fetch --for $(PROFILE)

engines: ## the whole environment and the models, at the same time
	@$(MAKE) -s -j 2 setup models

build-stage1-1: engines ## speech and natural replies, into data/stage1-1
	$(IEAT) build stage1-1 --profile $(PROFILE) --out data/stage1-1

build-stage1-2: engines ## stages 1-1 and 1-2 on the sample sources, into data/stage1-2
	$(IEAT) build stage1-2 --profile $(PROFILE) --out $(OUT)

build-stage2: setup ## pairs of speech and text, into data/stage2
	$(IEAT) build stage2 --profile $(PROFILE) --out data/stage2

sample: core ## the sample shards from the shipped recording, into data/sample: no model, no GPU
	$(IEAT) build stage1-2 --profile replay --out data/sample --manifest manifests/sample.json

check-sample: core ## does the recording still give the same rows? Shows what differs, and in which stage first
	$(IEAT) check stage1-2 --profile replay --manifest manifests/sample.json

check-sample-pyarrow: core ## the same under another version of pyarrow
	$(PYTHON) -m venv $(VENV)-pyarrow
	grep -v ^pyarrow= requirements.lock > $(VENV)-pyarrow/constraints
	$(call install,$(VENV)-pyarrow,-c $(VENV)-pyarrow/constraints pyarrow==$(OTHER_PYARROW) -e .)
	$(VENV)-pyarrow/bin/ieat check stage1-2 --profile replay --manifest manifests/sample.json
	rm -rf $(VENV)-pyarrow

record-sample: engines ## ask the engines for what the recording lacks, record it, make manifests/sample.json again
	$(IEAT) build stage1-2 --profile cpu --out $(OUT) --record recordings/sample
	$(MAKE) sample

check: $(VENV)/.check ## what to run before each commit, in a minute: lint, types, unit tests, the sample from its recording; no engine
	@$(MAKE) -s -j 2 --output-sync test-unit lint check-sample

test-unit: $(VENV)/.check
	$(VENV)/bin/python -m pytest -n 2 --without-extras -m "$(UNIT)"

test: engines ## all tests, those with the real models too
	$(VENV)/bin/python -m pytest -n 2 -m "$(NO_MODEL)"
	$(VENV)/bin/python -m pytest -m "models and not engines and not gpu and not slow and not browser and not trainers"

test-fast: setup ## the tests that need no model
	$(VENV)/bin/python -m pytest -m "$(NO_MODEL)"

test-engines: setup $(TINY)/qwen3/model.safetensors ## real production engines on a CPU, tiny models
	$(VENV)-speech/bin/python -m pytest -m engines tests/engines/asr/test_funasr.py tests/engines/ser/test_emotion2vec.py \
		tests/engines/tts/test_cosyvoice2.py tests/engines/speaker tests/engines/codec/test_s3tokenizer.py tests/corpora/test_lhotse.py
	$(ON_CPU) $(VENV)-vllm/bin/python -m pytest -m engines tests/engines/llm/test_vllm.py
	$(ON_CPU) $(VENV)/bin/python -m pytest -m "engines and not slow" tests/engines/test_whole_builds.py

test-trainers: ## exports read by the real trainers, a step of training with each: CPU, tiny models (apt-get install ffmpeg); TRAINERS=nemo: one alone
	@command -v ffmpeg > /dev/null || { echo "make test-trainers: clips are decoded with FFmpeg: apt-get install ffmpeg" >&2; exit 2; }
	@$(MAKE) -s -j 2 data/sample/manifest.json $(if $(filter-out mds,$(TRAINERS)),$(TINY_AUDIO)/.ready) $(TRAINERS:%=$(VENV)-%/.ready)
	@$(MAKE) -s -j 2 --output-sync $(TRAINERS:%=test-trainer-%)

test-trainer-%: # one thread each: most of their time is imports, so two at a time take half of it
	OMP_NUM_THREADS=1 $(WITH_TRAINER) $(VENV)-$*/bin/python -m pytest -m trainers $(addprefix tests/trainers/,$(TESTS_OF_$*))

test-browser: setup ## the pages in a real Chromium (apt-get install chromium, or IEAT_CHROMIUM=/path)
	$(call install,$(VENV),--no-deps -r requirements/browser.lock)
	$(VENV)/bin/python -m pytest -m browser

test-slow: setup $(TINY)/qwen3/model.safetensors ## what takes minutes: clusters of two nodes, speech engines killed in a whole build, GPU scripts
	$(VENV)-speech/bin/python -m pytest -m engines tests/benchmarks/test_gpu_scripts.py
	$(ON_CPU) $(VENV)-vllm/bin/python -m pytest -m engines \
		tests/benchmarks/test_gpu_scripts.py::test_the_script_for_vllm_ends_with_figures
	$(ON_CPU) $(VENV)/bin/python -m pytest -m slow tests/execution/test_ray.py tests/execution/test_ray_project.py tests/engines/test_whole_builds.py tests/apps/report/test_size.py

test-faults: setup ## kill, damage and confuse FAULTS builds through Ray: nothing lost, nothing doubled (KINDS=a,b SEED=n)
	$(VENV)/bin/python -m tests.faults --faults $(FAULTS) --seed $(SEED) --kinds "$(KINDS)"

fuzz: setup ## feed damaged bytes to all that reads files of others, led by atheris, for MINUTES=60
	$(call install,$(VENV),--no-deps -r requirements/fuzz.lock)
	$(VENV)/bin/python -m tests.fuzz --minutes $(MINUTES)

audit: $(VENV)-audit/.ready ## known vulnerabilities of the locked packages; fails on what a newer version mends (network: pypi.org)
	$(VENV)-audit/bin/python scripts/audit.py

$(VENV)-audit/.ready $(VENV)-docs/.ready $(VENV)-peers/.ready: $(VENV)-%/.ready: requirements/%.lock | $(VENV)/.core
	$(PYTHON) -m venv $(VENV)-$*
	$(call install,$(VENV)-$*,--no-deps -r $<)
	@touch $@

test-gpu: ## what only a GPU can show, with the published weights: IEAT_GPU_PROFILE=my-gpu.yaml make test-gpu
	@test -n "$(IEAT_GPU_PROFILE)" || { echo "IEAT_GPU_PROFILE names no profile, see docs/gpu.md" >&2; exit 2; }
	$(VENV)/bin/python -m pytest -m gpu tests/gpu

bench: core $(VENV)-peers/.ready ## what the package costs beside its peers, into benchmarks/results (SMALL=1: in a minute, no figures; ONLY=rows)
	$(VENV)/bin/python -m benchmarks --peers $(VENV)-peers/bin/python $(if $(ONLY),--only $(ONLY)) \
		$(if $(SMALL),--small,--out benchmarks/results)

bench-engines: engines ## the small engines inside a build beside their libraries alone and a plain loop, into benchmarks/results
	$(VENV)/bin/python -m benchmarks --only engines $(if $(SMALL),--small,--rounds 3 --out benchmarks/results)

bench-vllm: $(TINY)/qwen3/model.safetensors ## the vLLM engine inside a build beside raw vLLM, on a CPU, into benchmarks/results
	$(ON_CPU) HF_HUB_OFFLINE=1 $(VENV)-vllm/bin/python -m benchmarks --only vllm \
		$(if $(SMALL),--small,--rounds 3 --out benchmarks/results)

bench-scale: core ## the driver at 50,000 shards, reorganising ten million samples, corpora of 100 GB, records in a bucket (docs/scale.md)
	$(VENV)/bin/python -m benchmarks.scale.driver
	$(VENV)/bin/python -m benchmarks.scale.reorganise
	$(VENV)/bin/python -m benchmarks.scale.readers
	$(VENV)/bin/python -m benchmarks.scale.records

# An environment of its own for each engine family: they want different versions of torch and transformers. torchaudio's
# binaries do not load beside torch's CPU build, its Python part is all that is needed.
$(VENV)-%/.ready: requirements/%-cpu.lock | $(VENV)/.core
	$(PYTHON) -m venv $(VENV)-$*
	$(call install,$(VENV)-$*,--no-deps -r $<)
	$(call install,$(VENV)-$*,--no-deps -e .)
	find $(VENV)-$* -path '*/torchaudio/lib/*.so' -delete
	@touch $@

# The speech models and what the LLM is to learn; then the LLM.
$(TINY)/lessons.jsonl: $(VENV)-speech/.ready $(TAUGHT_WITH)
	$(VENV)-speech/bin/python -m tests.support.tiny.lessons $(TINY)

$(TINY)/qwen3/model.safetensors: $(VENV)-vllm/.ready $(TINY)/lessons.jsonl tests/support/tiny/qwen3.py
	$(VENV)-vllm/bin/python -m tests.support.tiny.qwen3 $(TINY)/lessons.jsonl $(TINY)/qwen3

# The oldest transformers that writes what all trainers here read.
$(TINY_AUDIO)/.ready: $(VENV)-swift/.ready $(addprefix tests/support/tiny/,audio_models.py qwen3.py)
	PYTHONPATH=tests/trainers/cpu $(VENV)-swift/bin/python -m tests.support.tiny.audio_models $(TINY_AUDIO) \
		qwen2_audio qwen2_5_omni qwen3_omni 2> /dev/null
	@touch $@

data/sample/manifest.json: manifests/sample.json | $(VENV)/.core
	$(MAKE) sample
	@touch $@

evaluate-checks: core ## precision and recall of the checks on labelled answers, into docs/quality.md
	$(VENV)/bin/python -m evaluation.checks --write

evaluate-judge: engines ## what the judge of PROFILE is worth on labelled answers, into docs/quality.md
	$(VENV)/bin/python -m evaluation.judge --ask $(PROFILE) --write

evaluate-kinds: engines ## how rows are sorted by the LLM of PROFILE, on labelled texts, into docs/quality.md
	$(VENV)/bin/python -m evaluation.kinds --ask $(PROFILE) --write

evaluate-conflicts: engines ## how often the words rightly contradict a label, on labelled texts, into docs/quality.md
	$(VENV)/bin/python -m evaluation.conflicts --ask $(PROFILE) --write

lint: $(VENV)/.check ## ruff, mypy, and that imports run one way
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

sample-sources: engines ## make the shipped sample sources again (samples/)
	$(VENV)/bin/python scripts/make_samples.py
	$(VENV)/bin/python scripts/make_segment_samples.py
	$(VENV)/bin/python scripts/make_form_samples.py

reference: core ## write docs/reference/ from the code
	$(VENV)/bin/python scripts/make_reference.py

docs: core $(VENV)-docs/.ready ## the documentation as a site, into site/; fails on a broken link and on a stale reference
	$(VENV)/bin/python scripts/make_reference.py --check
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

lock: ## resolve requirements.lock anew
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --disable-pip-version-check -q uv -e '.[dev]'
	$(VENV)-lock/bin/python -m pip freeze --exclude-editable > requirements.lock
	rm -rf $(VENV)-lock

clean: ## what was built, not the models
	rm -rf data site
