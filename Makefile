# One word each. Everything runs from .venv, which `make install` builds from pyproject.toml.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: install test test-fast test-kill test-power test-pumps test-swaps lint demo bench sim fuzz docs wheel clean

install: $(STAMP)
$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install -q -e ".[cloud,metrics]" --group dev
	@touch $@

test: install            ## the whole suite; four at once also on two cores, since many wait for a wire
	$(BIN)/python -m pytest -n 4 --dist worksteal tests

test-fast: install       ## what needs no processes of its own
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not system" tests

test-kill: install       ## kills daemon and headquarters at two hundred random moments each of charging and of swaps; half an hour
	FIELDTILL_KILLS=200 $(BIN)/python -m pytest -n 0 -s -k kills tests/system/test_kills.py tests/system/test_shopfront.py

test-power: install      ## a thousand power cuts at random moments, and every disk operation of a day; two minutes
	FIELDTILL_CUTS=1000 $(BIN)/python -m pytest -n 0 -s tests/edge/journal/test_journal_media.py tests/edge/test_power_cuts.py

test-pumps: install      ## FILLINGS=2000 at simulated pumps of each serial protocol under faults, some at the true baud
	FIELDTILL_FILLINGS=$(or $(FILLINGS),2000) $(BIN)/python -m pytest -n 0 -s --timeout 0 tests/drivers/pumps/test_thousands.py

test-swaps: install      ## SWAPS=2000 packs taken at simulated cabinets under faults, every pack accounted for
	FIELDTILL_SWAPS=$(or $(SWAPS),2000) $(BIN)/python -m pytest -n 0 -s --timeout 0 tests/simulation/test_thousands_of_swaps.py

lint: install            ## style, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: install            ## a site sells, with the link up and with the link down: SITE=charging, SITE=forecourt, SITE=shopfront
	$(BIN)/fieldtill demo $(SITE)

sim: install             ## seeded worlds under virtual time: SEEDS=1000 for more, SEED=42 [SHRINK=1] to replay one, VARIANTS=1 for bad software
	$(BIN)/python tests/simulation/sim_run.py $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),100)) $(if $(VARIANTS),--variants) $(if $(SHRINK),--shrink)

fuzz: install            ## damaged bytes for every decoder, for FUZZ_S seconds (600)
	$(BIN)/python tests/fuzz/fuzz_run.py --seconds $(or $(FUZZ_S),600)

bench: install           ## the numbers, as ratios to a limit measured in the same run
	$(BIN)/python -m bench

docs: install            ## pages generated from the code and the profiles
	$(BIN)/python -m docs.generate

wheel: install           ## dist/*.whl and a folder of wheels that installs without network
	$(BIN)/python -m build -q --wheel --no-isolation
	rm -rf dist/wheels && $(BIN)/python -m pip wheel -q --wheel-dir dist/wheels "$$(ls dist/fieldtill-*.whl)[cloud,metrics]"

clean:
	rm -rf $(VENV) .demo .bench .sim dist
