# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.PHONY: help setup system demo unit test check bench clean lock container oracle parity \
  test-slow test-forky test-forky-core test-workstations test-update test-install test-selinux test-stress demo-install demo-pull installer \
  bench-butane bench-supervise bench-image bench-switch bench-limits bench-login bench-proxy bench-pull bench-observe

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with `fab` in it; on Debian as root also the system packages
	@echo 'ready: $(BIN)/fab --list'

system:
	@scripts/system-packages

$(STAMP): requirements.lock scripts/system-packages scripts/find-python | system
	@set -euo pipefail; python=$$(scripts/find-python); \
	  rm -rf $(VENV); "$$python" -m venv $(VENV); \
	  echo "installing the Python packages of requirements.lock into $(VENV)"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	  touch $@

demo: $(STAMP) ## from .env to a served HTTPS page on a rehearsal node, with a summary
	@scripts/demo

demo-pull: $(STAMP) ## a machine without SSH, born with apps, proxy and certificates, with a summary
	@scripts/demo-pull

check: $(STAMP) ## ruff, mypy strict, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@shellcheck -x scripts/* $$(git ls-files '*.sh') .ci/run

unit: $(STAMP) ## the tests that need neither root nor other programs, in half a minute
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

test: check ## check, then every test but the slow ones, with rehearsal nodes; the core on forky too
	@$(BIN)/python -m pytest -n 2 --dist loadfile --hypothesis-profile=thorough \
	  -m "not parity and not install and not vm and not selinux and not stress and not slow"
	@$(MAKE) test-forky-core

test-slow: $(STAMP) ## the tests that `make test` leaves out: more faults, more ways, on a rehearsal node
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow and not selinux and not stress"

test-forky-core: $(STAMP) ## the core of the tests on a rehearsal node, with nodes of Debian forky
	@REHEARSAL_SUITE=forky $(BIN)/python -m pytest -n 2 --dist loadfile -m core tests/system

test-forky: $(STAMP) ## every test on a rehearsal node, with nodes of Debian forky
	@REHEARSAL_SUITE=forky $(BIN)/python -m pytest -n 2 --dist loadfile \
	  -m "node and not install and not vm and not selinux and not stress" tests/system

test-workstations: $(STAMP) ## try Debian 12, 13 and forky, Pythons, podman and Docker; writes docs/workstations.md
	@$(BIN)/python -m tests.workstations

test-update: $(STAMP) ## an update of the operating system under an app, and its rollback
	@$(BIN)/python -m pytest -m node tests/system/test_update.py

oracle: ## build the real butane and ignition-validate to compare with (needs Go)
	@scripts/butane-oracle

parity: $(STAMP) oracle ## our Butane translator against the real one, with counts
	@$(BIN)/python -m tests.unit.butane.translate.parity
	@$(BIN)/python -m pytest -q -m parity

installer: ## the real coreos-installer (needs Rust) and a kernel, once, into the user's cache
	@scripts/system-packages --installer
	@scripts/build-installer
	@scripts/fetch-kernel

test-install: $(STAMP) installer ## prepare, install to a disk, first boot, deploy, page; and QEMU
	@$(BIN)/python -m pytest -m "install or vm"

test-selinux: $(STAMP) ## deploys to a machine that enforces SELinux, under QEMU; many minutes
	@scripts/system-packages --installer
	@scripts/fetch-kernel >/dev/null
	@$(BIN)/python -m pytest -m selinux tests/install/test_selinux.py

test-stress: $(STAMP) ## 200 starts and stops of slots while podman is killed; twenty machines that follow a tag; minutes
	@$(BIN)/python -m pytest -s -m stress tests/system

demo-install: $(STAMP) installer ## the same chain, to watch: a machine installed from its medium
	@scripts/demo-install

bench-butane: $(STAMP) oracle ## how fast the Butane translator is, beside the real one
	@$(BIN)/python -m bench.butane

container: $(STAMP) ## build/supervise.pyz: the supervisor as one file for any image with Python
	@$(BIN)/python -m container.pack build/supervise.pyz

bench: bench-butane bench-supervise bench-image bench-switch bench-pull bench-limits bench-login bench-observe ## every measurement

bench-supervise: $(STAMP) ## the supervisor's figures, beside s6, supervisord and tini + systemd
	@$(BIN)/python -m bench.supervise

bench-image: $(STAMP) ## bytes, time and memory of sending images, beside other ways
	@$(BIN)/python -m bench.image

bench-switch: $(STAMP) ## deploys under load: failed requests, latency, gaps, beside Caddy; bench-proxy too
	@scripts/system-packages --bench
	@$(BIN)/python -m bench.switch; first=$$?; $(BIN)/python -m bench.proxy && exit $$first

bench-proxy: $(STAMP) ## deploys behind the proxy under mixed load; its cost, beside plain Caddy
	@scripts/system-packages --bench
	@$(BIN)/python -m bench.proxy

bench-pull: $(STAMP) ## machines that follow a tag: failed requests, bytes, seconds, beside podman auto-update
	@$(BIN)/python -m bench.pull

bench-limits: $(STAMP) ## small machines and long distances: seconds and round trips of each verb
	@$(BIN)/python -m bench.limits

bench-observe: $(STAMP) ## what a machine's metrics cost it, beside node_exporter
	@$(BIN)/python -m bench.observe

bench-login: $(STAMP) ## what one login saves, beside a second client
	@$(BIN)/python -m bench.login

lock: ## write requirements.lock from pyproject.toml
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --extra dev \
	  --output-file requirements.lock pyproject.toml

clean: ## remove .venv, build and caches; this folder's rehearsal nodes and virtual machine first
	@if [ -x $(BIN)/fab ]; then $(BIN)/fab rehearsal-down --all vm --down; fi
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
