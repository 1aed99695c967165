# make demo   environment, then one simulated Sentinel-5P file made four times finer
# make test   environment, then the whole test suite
# make laws N=1000    try every law on N random scenes, new ones each time
# make reliability    run the fast tests with coverage and write docs/reliability.md
# make kills N=100    kill runs at random moments; nothing may be lost, half or stray
# make mutation       change the code a little and count how often the tests notice
# make fuzz N=10000   feed mutants of good files to the command line
# make test-slim  everything but training in an environment without TensorFlow, Keras and OpenCV
# make test-qgis   the outputs and the plugin in real QGIS, which is installed if need be (Debian, Ubuntu)
# make docs   the site in build/site, built strictly
# make dist   the wheel and the sdist in dist/, built and checked as a package index does
# make plugin   zip the QGIS plugin into dist/
# make benchmark   measure speed and memory and write docs/performance.md
# make benchmark-accuracy   judge all networks on real fields and write docs/accuracy.md
# make test-browser   the reports in Chromium, which is installed where it is missing
# make lint   ruff, numpydoc, and the files of a release;  make types   mypy;  make clean   remove what make made

VENV := .venv
SLIM := .venv-slim
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
SAMPLE := $(wildcard sample_data/S5P_*.nc)

.PHONY: demo docs test test-slim laws kills reliability mutation test-qgis test-browser dist plugin fuzz lint types clean benchmark benchmark-accuracy
.DELETE_ON_ERROR:

demo: $(VENV)/.stamp-package
	$(BIN)/no2sr downscale $(SAMPLE) out/no2_fine.tif --scale 4 --overwrite

test: $(VENV)/.stamp-dev
	$(BIN)/python -m pytest -n auto

laws: $(VENV)/.stamp-dev
	NO2SR_LAWS=$(or $(N),1000) $(BIN)/python -m pytest -n auto tests/laws

reliability: $(VENV)/.stamp-dev
	@$(PIP) install --group mutation
	$(BIN)/python benchmarks/reliability.py --measure

kills: $(VENV)/.stamp-dev
	$(BIN)/python -W ignore tests/faults/kills.py --number $(or $(N),100)

mutation: $(VENV)/.stamp-dev
	@$(PIP) install --group mutation
	$(BIN)/python benchmarks/mutation.py --sample $(or $(N),80)

# Mutants of good files through the command line; failing ones are kept in out/fuzz.
fuzz: $(VENV)/.stamp-dev
	$(BIN)/python tests/hostile/fuzz.py --number $(or $(N),300) --seed $(or $(SEED),1) $(if $(N),--json benchmarks/records/fuzz.json)

# The wheel is installed as users do it.
test-slim: $(VENV)/.stamp-dev $(SLIM)/.stamp dist
	@$(SLIM)/bin/python -m pip -qq --disable-pip-version-check install --no-deps --force-reinstall dist/no2sr-*.whl
	NO2SR_SLIM=$(abspath $(SLIM))/bin/python $(BIN)/python -m pytest tests/test_slim.py

test-browser: $(VENV)/.stamp-browser
	NO2SR_REQUIRE_BROWSER=1 $(BIN)/python -m pytest tests/browser

test-qgis: $(VENV)/.stamp-dev $(VENV)/.stamp-qgis
	NO2SR_REQUIRE_QGIS=1 $(BIN)/python -m pytest -n 2 -m qgis tests/qgis

# The pages are made of the package itself; that nothing is loaded from elsewhere is checked, too.
docs: $(VENV)/.stamp-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The wheel is built from the sdist, so both are complete.
dist: $(VENV)/.stamp-venv
	@$(PIP) install --group dist
	rm -f dist/no2sr-*.whl dist/no2sr-*.tar.gz
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/no2sr-*.whl dist/no2sr-*.tar.gz

plugin: $(VENV)/.stamp-venv
	$(BIN)/python qgis_plugin/make_zip.py dist

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m numpydoc lint $$(find no2sr -name '*.py' ! -name '__main__.py')
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/hadolint packaging/Dockerfile

types: $(VENV)/.stamp-dev
	$(BIN)/mypy

benchmark: $(VENV)/.stamp-dev
	$(BIN)/python benchmarks/performance.py

benchmark-accuracy: $(VENV)/.stamp-dev
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/reconstruct.py

clean:
	rm -rf $(VENV) $(SLIM) out build dist htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The interpreter: $PYTHON, else the newest of the supported ones that really starts (a shim may not).
$(VENV)/.stamp-venv:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	    if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	        echo "making $(VENV) with $$($$python --version)"; \
	        $$python -m venv $(VENV) || exit 1; \
	        $(PIP) install --upgrade 'pip>=25.1' || exit 1; \
	        touch $@; exit 0; \
	    fi; \
	done; \
	echo "no Python 3.11, 3.12 or 3.13 was found; install one, or name it: make demo PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.stamp-package: $(VENV)/.stamp-venv pyproject.toml
	@echo "installing no2sr and what it needs (some minutes the first time)"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-package
	@echo "installing the tools of the tests"
	@$(PIP) install --group dev
	@touch $@

$(SLIM)/.stamp: $(VENV)/.stamp-venv packaging/requirements-slim.txt
	@echo "making $(SLIM)"
	@rm -rf $(SLIM) && $(BIN)/python -m venv $(SLIM)
	@$(SLIM)/bin/python -m pip -qq --disable-pip-version-check install -r packaging/requirements-slim.txt
	@touch $@

$(VENV)/.stamp-browser: $(VENV)/.stamp-dev
	@if ! command -v chromedriver >/dev/null; then \
	    echo "installing Chromium and its driver"; \
	    if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	    $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
	        apt-get install -qq -y --no-install-recommends chromium chromium-driver >/dev/null \
	    || { echo "install Chromium and chromedriver, then run make test-browser again" >&2; exit 1; }; \
	fi
	@$(PIP) install --group browser
	@touch $@

$(VENV)/.stamp-docs: $(VENV)/.stamp-package
	@$(PIP) install --group docs
	@touch $@

# QGIS for /usr/bin/python3: what its recommendations would add is not needed.
$(VENV)/.stamp-qgis: $(VENV)/.stamp-dev
	@$(PIP) install --group qgis
	@if ! /usr/bin/python3 -c 'import qgis.core' 2>/dev/null; then \
	    echo "installing QGIS (a minute or two)"; \
	    if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	    $$sudo apt-get -qq update && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
	        --no-install-recommends qgis python3-qgis qgis-providers >/dev/null || exit 1; \
	fi
	@touch $@
