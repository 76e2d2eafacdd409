# Two commands do everything: `make run` and `make test`. Only /bin/sh is needed until Python is there.
SHELL = /bin/sh
.DELETE_ON_ERROR:
.PHONY: run test check docs install-tests lint install up doctor lock fmt bench clean

PYTHON = $$(for p in python3.11 python3 /usr/bin/python3; do \
	"$$p" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' 2>/dev/null && { command -v "$$p"; break; }; done)
BIN = .venv/bin
PIP = $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes
# What the tests need besides: git applies the diff of docs/new-path.md, pgrep looks for orphans, zip packs,
# chromium opens the report pages.
TEST_PACKAGES = chromium git procps strace zip $(BENCH_PACKAGES)
# What the plain script runs that we do not.
BENCH_PACKAGES = file imagemagick libtiff-tools
# Many tests wait for servers and tools: one more at a time than there are cores, and no more than memory holds.
AT_ONCE = -n $$(n=$$(($$(nproc) + 1)); [ $$n -lt 8 ] && echo $$n || echo 8) --dist worksteal
# The fast ones wait for nothing, and each process more loads all modules once more.
FAST_AT_ONCE = -n $$(n=$$(nproc); [ $$n -lt 8 ] && echo $$n || echo 8) --dist worksteal
# Commands and workers start many times: what was compiled once is kept, whatever the shell says.
test check: export PYTHONDONTWRITEBYTECODE =
PACKAGES = $$(sed 's/\#.*//' packages.txt)

## run: install what is missing, then take a demo delivery (or BATCH=/any/folder) all the way.
## Exit code 1 of `perenne run` means finished, with files that a person should look at.
run: install
	@home="$$($(BIN)/python -m tasks.config.home)"; \
	if [ -n "$(BATCH)" ]; then set -- "$(BATCH)"; else set --; \
	  $(BIN)/python fixtures/make.py demo "$$home/inbox" && touch "$$home/inbox/văn-bản-demo.ready"; fi; \
	$(BIN)/perenne run "$$@" || [ $$? = 1 ] || exit $$?; \
	echo; echo 'Where to look next:'; \
	echo "  make up                   the Prefect UI, the nightly schedule, the reports in a browser"; \
	echo "  .venv/bin/perenne status  how every batch stands"; \
	echo "  $$home"

## test: install what is missing, then pass every check and every test
test: install-tests
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -q $(AT_ONCE)

## check: lint and the fast tests
check: install-tests lint
	$(BIN)/pytest -q $(FAST_AT_ONCE) -m 'not slow'

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

## up: server, nightly schedule and reports, until Ctrl-C
up: install
	$(BIN)/perenne up

doctor: install
	$(BIN)/perenne doctor

## docs: write the pages that come from the code
docs: install
	$(BIN)/python docs/make.py

## bench: a batch (BATCH=/any/folder) through the pipeline, the plain script and the bare tools, and where the time goes
bench: PACKAGES += $(BENCH_PACKAGES)
bench: install
	$(BIN)/python bench/compare.py --parts $(or $(BATCH),fixtures/formats) || [ $$? = 1 ]
	$(BIN)/python bench/throughput.py $(or $(BATCH),fixtures/formats)

# Compiled here, for a zygote may not write and would compile the sealed code at each of its starts.
install: .packages .venv/.done
	@$(BIN)/python -m compileall -q flows tasks

install-tests: PACKAGES += $(TEST_PACKAGES)
install-tests: install .venv/.dev .venv-ocfl/.done

# Debian packages by name: what is there is not touched, and then neither root nor network is needed.
.packages:
	@missing=''; for p in $(PACKAGES); do \
	  dpkg-query -W -f '$${db:Status-Status}' "$$p" 2>/dev/null | grep -q '^installed$$' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "installing with all that they need:$$missing"; \
	  as=''; [ "$$(id -u)" = 0 ] || as=sudo; \
	  $$as apt-get update -q && \
	  $$as env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; fi
.PHONY: .packages

# --no-deps: prefect 3.9.1 asks for a certifi that does not exist yet (overrides.txt); the lock holds the whole set.
.venv/.done: requirements.lock pyproject.toml flows/command/blank.py
	@python=$(PYTHON); [ -n "$$python" ] || { echo 'Perenne needs Python 3.11.'; exit 3; }; \
	[ -x $(BIN)/python ] || "$$python" -m venv .venv
	@echo "installing $$(grep -c == $<) Python packages: about 200 MB, a minute or two"
	@$(PIP) --only-binary :all: -r $<
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m tasks.tools.resident.judge
	$(BIN)/python -m flows.command.blank
	@touch $@

# What only the tests, the linters and the pictures of the docs need: 125 of the 319 MB that pip would load.
.venv/.dev: dev.lock .venv/.done
	@echo "installing what the tests need besides: about 130 MB"
	@$(PIP) --only-binary :all: -r $<
	@touch $@

# ocfl-py, the independent validator, brings a package that hides our tests: a place of its own.
.venv-ocfl/.done: ocfl.lock .venv/.done
	@[ -x .venv-ocfl/bin/python ] || $(BIN)/python -m venv .venv-ocfl
	.venv-ocfl/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r ocfl.lock
	@touch $@

## lock: make both hashed locks anew (needs uv)
LOCK = uv pip compile pyproject.toml --override overrides.txt --generate-hashes --python-version 3.11 --only-binary :all: \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock'
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --extra dev --constraint requirements.lock -o dev.lock

fmt:
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .venv-ocfl build *.egg-info
