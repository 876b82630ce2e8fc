# MedGen Kit. Two commands matter: `make course` runs all notebooks, `make test` checks everything.
PYTHON  ?= python3
PROFILE ?= cpu
NAME    ?= $(basename $(notdir $(PROFILE)))
SEED    ?= 0
ONLY    ?=
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.installed
BROWSER := $(VENV)/.browser
CARDS   := $(VENV)/.cards
PAGES   := $(VENV)/.site

.PHONY: help install course site slides handouts students test test-browser test-colab wheel cards lint refresh exercises clean

help:
	@echo "make course                 run all notebooks on the profile cpu, into runs/cpu, and write an HTML report"
	@echo "make course PROFILE=smoke   the same in a few minutes, with poor pictures"
	@echo "make course NAME=monday     into runs/monday"
	@echo "make course SEED=5          with another seed (into the same run folder, unless NAME is given too)"
	@echo "make site                   the course as a web site that needs no network, with the lessons of runs/cpu, in build/site"
	@echo "make site TEACHER=1         with solutions and answer keys, in build/site-teacher"
	@echo "make slides                 a deck for each lesson, in build/slides (the site holds them too)"
	@echo "make handouts               sheets to print for the games of the lessons, and keys, in build/handouts (ONLY='02 06' SEED=1)"
	@echo "make test                   ruff, unit tests, notebook contract, nbval on every notebook, Chromium"
	@echo "make test-browser           lessons, site, slides and the blind study in a headless Chromium (part of make test where there is one)"
	@echo "make test-colab             all notebooks with the older packages of Colab, in .venv-colab (part of make test)"
	@echo "make wheel                  build/medgen_kit-...whl, for a student to upload to Colab"
	@echo "make cards                  the data cards again, from runs/cpu where it is there (NAME=monday: from runs/monday)"
	@echo "make lint                   ruff alone"
	@echo "make refresh ONLY='00 07'   run notebooks again on profile cpu and store their outputs"
	@echo "make students               build/medgen_kit-students.zip: the last commit without solutions, answer keys and tests"
	@echo "make exercises              stubs and answer keys of course/, made from course/solutions"
	@echo "make clean                  remove build products (runs and .venv stay)"
	@echo "make ... PYTHON=python3.12  choose the Python that makes .venv (3.11 to 3.13)"

install: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else 'MedGen Kit needs Python 3.11 to 3.13, and this is %d.%d. Name another one: make course PYTHON=python3.12' % v)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "The virtual environment could not be made. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Installing the packages of requirements.lock into $(VENV) (once; some minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@mkdir -p runs
	@touch $(READY)
	@echo "Installed in $(VENV). Next: make course, or: $(BIN)/jupyter lab notebooks/"

course: $(READY)
	@$(BIN)/python course/tools/run_course.py --profile "$(PROFILE)" --name "$(NAME)" --seed "$(or $(SEED),0)"

site: $(PAGES)
	@$(BIN)/python course/tools/site.py --run "$(NAME)" $(if $(TEACHER),--teacher)

slides: $(READY)
	@$(BIN)/python course/tools/slides.py --run "$(NAME)"

handouts: $(READY)
	@$(BIN)/python course/tools/handouts.py --run "$(NAME)" --seed "$(or $(SEED),0)" $(ONLY)

$(PAGES): requirements-site.lock $(READY)
	@echo "Installing the packages of requirements-site.lock into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-site.lock
	@touch $(PAGES)

test: $(READY)
	@$(BIN)/python course/tools/run_tests.py

test-browser: $(BROWSER)
	@$(BIN)/python course/tools/run_tests.py --browser

$(BROWSER): requirements-browser.lock $(READY)
	@echo "Installing the packages of requirements-browser.lock into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-browser.lock
	@touch $(BROWSER)

test-colab: $(READY)
	@$(BIN)/python course/tools/colab_test.py

wheel: $(READY)
	@$(BIN)/python course/tools/colab_wheel.py

cards: $(CARDS)
	@$(BIN)/python course/tools/cards.py $(if $(filter command,$(firstword $(origin NAME))),--run "$(NAME)")

$(CARDS): requirements-cards.lock $(READY)
	@echo "Installing the packages of requirements-cards.lock into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-cards.lock
	@touch $(CARDS)

lint: $(READY)
	@$(BIN)/python -m ruff check --no-cache medgen_kit course tests

refresh: $(READY)
	@$(BIN)/python course/tools/refresh.py --profile cpu $(ONLY)

students:
	@mkdir -p build
	@git archive --format=zip --prefix=medgen_kit/ -o build/medgen_kit-students.zip HEAD -- . ':!course/solutions' ':!course/answers' ':!tests'
	@echo "build/medgen_kit-students.zip holds the last commit, without course/solutions, course/answers and tests"

exercises: $(READY)
	@$(BIN)/python course/tools/exercises.py

clean:
	rm -rf build .pytest_cache .ruff_cache
	find medgen_kit course tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
