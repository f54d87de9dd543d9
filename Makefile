# make demo      build, then see a real virtual machine move between two libvirt hosts on this machine, and back
# make test      every test that needs no hardware (as root: with two real libvirt hosts)
# make faults    as root: the tests that injure a migration, and their table of fault, phase and outcome
# make soak      as root: SOAK_MIGRATIONS=300 to and fro with random faults (SOAK_SEED=N: the same ones again)
# make tournament  as root, Debian 12: SEED=0-9 CASES=10: generated guests and hosts, predicted and then tried (tests/tournament/README.md)
# make lab       as root: real VFIO device state between two emulated hosts, core scenarios (lab-all: every scenario);
#                GENERATION=bookworm|trixie|mixed: what the hosts are made of
# make install   PREFIX=/usr/local DESTDIR=

PREFIX ?= /usr/local
CARGO ?= cargo
CARGO_TARGET_DIR ?= target
export CARGO CARGO_TARGET_DIR

BIN = $(CARGO_TARGET_DIR)/release/pvm

.PHONY: build demo test faults soak tournament lab lab-all install

build:
	$(CARGO) build --release --locked

demo: build
	tests/demo/demo "$(BIN)"

# Every group runs to its end; the last lines say how each of them went.
test:
	if [ "$$(id -u)" = 0 ]; then tests/two-hosts/two-hosts install; fi
	tests/run test

# FAULT_TABLE=FILE writes the table too. After a failure the other tests still run, and the table says what is missing.
faults:
	tests/two-hosts/two-hosts install
	tests/run faults

soak:
	tests/two-hosts/two-hosts install
	$(CARGO) test --locked --test soak

GENERATION ?= trixie
SEED ?= 0
CASES ?= 10
tournament: build
	tests/two-hosts/two-hosts install
	tests/tournament/tournament --pvm "$(BIN)" run $(SEED) --cases $(CASES)

lab lab-all: export PVM_LAB_GENERATION = $(GENERATION)

lab: build
	tests/lab/lab run --limit 25 --pvm "$(BIN)"

lab-all: build
	tests/lab/lab run --all --pairs 3 --limit 25 --pvm "$(BIN)"

# Installs what `make build` made, so that no compiler runs as root.
install:
	@test -x "$(BIN)" || { echo "Run 'make build' first."; exit 1; }
	install -D -m 755 "$(BIN)" "$(DESTDIR)$(PREFIX)/bin/pvm"
	for page in man/*.8; do install -D -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man8/$${page#man/}" || exit 1; done
	install -D -m 644 completions/pvm.bash "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pvm"
	install -D -m 644 completions/_pvm "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pvm"
	install -D -m 644 completions/pvm.fish "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pvm.fish"
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's|@BINDIR@|$(PREFIX)/bin|' src/migration/recover/pvm-recover.service >"$(DESTDIR)$(PREFIX)/lib/systemd/system/pvm-recover.service"
	install -m 644 src/migration/recover/pvm-recover.timer "$(DESTDIR)$(PREFIX)/lib/systemd/system/pvm-recover.timer"
