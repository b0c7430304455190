# Needs Python 3.11 or newer and make, nothing else. `make help` explains the targets.

PYTHON ?= $(firstword $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p; done))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

# The image that `make image` begins with, and further flags for podman build.
BASE ?= docker.io/library/debian:12-slim
IMAGE_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help install install-dev up demo test coverage bench profile faults acceptance image sbom check lint-api postman docs format provider lock clean

help: ## Explain every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { line = sprintf("  make %-12s", $$1); n = split($$2, words, " "); \
		for (i = 1; i <= n; i++) { if (length(line " " words[i]) > 80) { print line; line = sprintf("%19s", "") } line = line " " words[i] } \
		print line }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install into .venv, from requirements.lock, each file checked against its hash

install-dev: $(INSTALLED_DEV) ## The same with what tests, checks and benchmarks need

up: $(INSTALLED) ## Run all of it here: PostgreSQL, Kafka, the door, the worker. Ctrl-C stops all. Data: .threadline
	@exec $(BIN)/threadline up

demo: $(INSTALLED) ## Post signed provider requests, scrambled and some twice, and print the customer's timeline
	@exec $(BIN)/threadline demo

test: $(INSTALLED_DEV) ## Run the tests, on free ports; nothing is left running
	@exec $(BIN)/python -m tests

coverage: $(INSTALLED_DEV) ## Run the tests with branch coverage; print it by folder, and lines in build/coverage/index.html
	@exec $(BIN)/python -m tests.coverage

profile: $(INSTALLED_DEV) ## Show where the processor time of a webhook goes, by function and by statement
	@exec $(BIN)/python -m bench.profile

bench: $(INSTALLED_DEV) ## Measure against limits measured in the same run; writes bench/results.json and a picture
	@exec $(BIN)/python -m bench

faults: $(INSTALLED_DEV) ## Kill every part in turn, and poison every topic, under load; then count what was lost, doubled, late
	@exec $(BIN)/python -m tests.faults

acceptance: $(INSTALLED_DEV) ## Try image, chart, alerts, contracts, brokers, standby, restore, upgrade; after `make image`; needs: deploy/README.md
	@exec $(BIN)/python -m pytest -q tests/acceptance

image: ## Build the container image with podman: make image [BASE=docker.io/library/debian:12-slim] [IMAGE_FLAGS=…]
	@command -v podman >/dev/null || { echo "podman is not installed (on Debian and Ubuntu: apt install podman buildah)" >&2; exit 1; }
	podman build --format docker --build-arg BASE=$(BASE) --build-arg REVISION=$$(git rev-parse HEAD) $(IMAGE_FLAGS) \
		-f deploy/Containerfile -t localhost/threadline .

sbom: .venv-sbom/.installed ## List what the image contains as CycloneDX, in build/threadline.cdx.json; Debian's packages after `make image`
	@mkdir -p build && .venv-sbom/bin/python deploy/sbom.py > build/sbom.part && mv build/sbom.part build/threadline.cdx.json && \
		echo build/threadline.cdx.json

check: $(INSTALLED_DEV) ## Format, lint and types, as CI does it; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

lint-api: $(INSTALLED_DEV) ## Lint the descriptions of the API and of the topics with Spectral and Redocly, where npm is installed
	@if ! command -v npm >/dev/null; then echo "npm is not installed: the API's description is not linted"; exit 0; fi; \
		mkdir -p build && $(BIN)/python -m app.api.openapi.bundle > build/openapi.json && \
		$(BIN)/python -m app.api.asyncapi.bundle > build/asyncapi.json && cd tests/lint && \
		npm install --silent --no-package-lock --no-audit --no-fund && \
		npx spectral lint --fail-severity error --ruleset .spectral.yaml ../../build/openapi.json && \
		npx spectral lint --fail-severity warn --ruleset .spectral-asyncapi.yaml ../../build/asyncapi.json && \
		npx redocly lint ../../build/openapi.json

postman: $(INSTALLED_DEV) ## Make a Postman collection of the API in build/, where npm is installed
	@command -v npm >/dev/null || { echo "npm is not installed (on Debian and Ubuntu: apt install npm)" >&2; exit 1; }; \
		mkdir -p build && $(BIN)/python -m app.api.openapi.bundle > build/openapi.json && \
		(cd tests/postman && npm install --silent --no-package-lock --no-audit --no-fund) && \
		tests/postman/node_modules/.bin/openapi2postmanv2 --spec build/openapi.json --output build/converted.json \
			--options folderStrategy=Tags,enableOptionalParameters=false > build/postman.log && \
		$(BIN)/python -m app.api.openapi.postman < build/converted.json > build/threadline.postman_collection.json && \
		echo build/threadline.postman_collection.json

docs: .venv-docs/.installed ## Build the documentation as a site in build/site; a broken link fails
	@rm -rf build/pages && mkdir -p build/pages
	@git ls-files -z --cached --others --exclude-standard -- '*.md' LICENSE bench deploy docs schemas | \
		xargs -0 cp --parents -t build/pages
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict && echo build/site/index.html

.venv-docs/.installed .venv-sbom/.installed: .venv-%/.installed: requirements-%.lock
	@$(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

format: $(INSTALLED_DEV) ## Format the code, and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

provider: $(INSTALLED_DEV) ## Create the files of a new provider: make provider NAME=acme_sms
	@test -n "$(NAME)" || { echo "make provider needs a name: make provider NAME=acme_sms" >&2; exit 2; }
	@exec $(BIN)/threadline new-provider "$(NAME)"

lock: $(INSTALLED_DEV) ## Write all lock files anew from pyproject.toml, and the set of Kafka's jars
	@echo 'setuptools>=80' | $(LOCK) --output-file requirements.lock pyproject.toml -
	@$(LOCK) --extra dev --constraints requirements.lock --output-file requirements-dev.lock pyproject.toml
	@echo 'mkdocs-material>=9.7' | $(LOCK) --output-file requirements-docs.lock -
	@printf '%s\n' 'cyclonedx-python-lib[json-validation]>=11.12' 'packaging>=26' | $(LOCK) --output-file requirements-sbom.lock -
	@$(BIN)/python -m app.embedded.jars

# What a machine's own settings say of where packages come from must not end up in the lock files.
LOCK = env -u UV_FIND_LINKS -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX $(BIN)/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --upgrade --no-emit-index-url --no-emit-find-links \
	--custom-compile-command 'make lock'

clean: ## Remove what was built and installed here; data (.threadline) stays
	rm -rf $(VENV) .venv-docs .venv-sbom build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Threadline needs Python 3.11 or newer: none is on the PATH" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "This Python lacks venv (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }

# Shows the package that pip is at, where there is no terminal every tenth on a line; what pip said is in install.log, and on the screen where it failed.
define install
	@rm -f $(VENV)/.complete
	@{ $(PIP) install --progress-bar off --require-hashes --requirement $(1) 2>&1 && touch $(VENV)/.complete; } | \
		tee $(VENV)/install.log | { n=0; while read -r word name rest; do \
		if [ "$$word" = Collecting ]; then n=$$((n + 1)); fi; \
		if [ -t 1 ] && [ "$$word" = Collecting ]; then printf '\r  %d: %s\033[K' $$n "$$name"; \
		elif [ -t 1 ] && [ "$$word" = Installing ]; then printf '\r  unpacking %d packages\033[K' $$n; \
		elif [ "$$word" = Collecting ] && [ $$((n % 10)) = 1 ]; then echo "  $$n: $$name"; \
		elif [ "$$word" = Installing ]; then echo "  unpacking $$n packages"; fi; \
		done; if [ -t 1 ]; then printf '\r\033[K'; fi; }
	@test -f $(VENV)/.complete || { cat $(VENV)/install.log >&2; exit 1; }
endef

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what Threadline needs (about 150 MB, once)"
	$(call install,requirements.lock)
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock $(INSTALLED)
	@echo "Installing what tests and checks need"
	$(call install,requirements-dev.lock)
	@touch $@
