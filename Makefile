# make demo      build, then see a real virtual machine move between two libvirt hosts on this machine, and back
# make test      every test that needs no hardware (as root: with two real libvirt hosts)
# make faults    as root: the tests that injure a migration, and their table of fault, phase and outcome
# make soak      as root: SOAK_MIGRATIONS=300 to and fro with random faults (SOAK_SEED=N: the same ones again)
# make tournament  as root, Debian 12: SEED=0-9 CASES=10: generated guests and hosts, predicted and then tried (tests/tournament/README.md);
#                    tournament-core: the same 48 in every run, rehearsed
# make lab       as root: real VFIO device state between two emulated hosts, core scenarios (lab-all: every scenario);
#                GENERATION=bookworm|trixie|mixed: what the hosts are made of
# make fuzz      FUZZ_SECONDS=600: each reader of what others write, fuzzed for so long (cargo install cargo-fuzz)
# make nova      as root, Debian 12: pvm against a real Nova 34 with two computes, every scenario (PLAY="aborted killed": those);
#                the environment is kept in ~/.cache/pvm-ci/nova; nova-core: the handful that .ci/run plays
# make lab-nova  as root, Debian 12: the same Nova with its computes inside the lab's hosts, where servers have VFs with state
#                (PLAY="load save": those); a quarter of an hour on a quiet machine, by hand only
# make bench     every budget beside its peer, and a chart of them: target/budgets.svg (tests/benches/run)
# make check     format, lints, unit tests and transcripts: the inner loop
# make deb rpm   packages in target/debian and target/generate-rpm (cargo install cargo-deb cargo-generate-rpm)
# make pkg-test  as root, Debian: the deb in a fresh root file system: installed, run, upgraded, removed
# make static    a binary without libvirt and without shared libraries, for the facts of hosts: target/static/pvm
# make install   PREFIX=/usr/local DESTDIR= SYSCONFDIR=/etc; make uninstall takes away the same files, never settings or state

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CARGO ?= cargo
CARGO_TARGET_DIR ?= target
export CARGO CARGO_TARGET_DIR

BIN = $(CARGO_TARGET_DIR)/release/pvm

.PHONY: bench build check demo fuzz test faults soak tournament tournament-core lab lab-all deb rpm pkg-test static install uninstall nova nova-core lab-nova

# What --version says of the source.
build static: export PVM_COMMIT := $(shell git describe --always --dirty --abbrev=10 2>/dev/null || echo unknown)
build:
	$(CARGO) build --release --locked

check:
	git ls-files '*.rs' | xargs rustfmt --edition 2024 --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	$(CARGO) test --locked --lib --quiet
	$(CARGO) test --locked --test it --quiet -- --skip two_hosts::

bench:
	tests/benches/run "$(CARGO_TARGET_DIR)/budgets.svg"

# Compiled quickly: it is run once.
demo:
	$(CARGO) build --profile quick --locked
	tests/demo/demo "$(CARGO_TARGET_DIR)/quick/pvm"

# Every group runs to its end; the last lines say how each of them went.
test:
	if [ "$$(id -u)" = 0 ]; then tests/two-hosts/two-hosts install && tests/packaging/install-mandoc && tests/packaging/install-ansible; fi
	tests/run test

# FAULT_TABLE=FILE writes the table too. After a failure the other tests still run, and the table says what is missing.
faults:
	tests/two-hosts/two-hosts install
	tests/run faults

soak:
	tests/two-hosts/two-hosts install
	$(CARGO) test --locked --test soak

# The fuzzer's instrumentation is not stable Rust yet, which the compiler is told to accept.
FUZZ_SECONDS ?= 600
fuzz: export RUSTC_BOOTSTRAP = 1
fuzz:
	cd tests/fuzz && $(CARGO) run --quiet --bin seeds
	cd tests/fuzz && for target in fuzz_targets/*.rs; do target=$$(basename "$$target" .rs); \
		$(CARGO) fuzz run --fuzz-dir . "$$target" -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 || exit; done

GENERATION ?= trixie
SEED ?= 0
CASES ?= 10
tournament: build
	tests/two-hosts/two-hosts install
	tests/tournament/tournament --pvm "$(BIN)" $(REHEARSE) run $(SEED) --cases $(CASES)

# The same cases in every run: what was drawn once and agrees.
tournament-core: SEED = 300-311
tournament-core: CASES = 4
tournament-core: REHEARSE = --rehearse --of machine,disks,networks,devices,state,hosts
tournament-core: tournament

lab lab-all: export PVM_LAB_GENERATION = $(GENERATION)

lab: build
	tests/lab/lab run --limit 25 --pvm "$(BIN)"

lab-all: build
	tests/lab/lab run --all --pairs 3 --limit 25 --pvm "$(BIN)"

# What .ci/run plays: moved, aborted, refused, found wrong, and killed.
nova-core:
	$(MAKE) nova PLAY="moved_there_and_back aborted_late destination_disabled in_error killed_after_nova_accepted"

# A debug build: scenarios end it at named points.
nova:
	$(CARGO) build --locked
	tests/two-hosts/two-hosts install
	tests/nova-cloud/cloud test "$(CARGO_TARGET_DIR)/debug/pvm" $(PLAY)

lab-nova: build
	tests/two-hosts/two-hosts install
	tests/nova-cloud/cloud lab "$(BIN)" $(PLAY)

deb: build
	$(CARGO) deb --no-build --locked

rpm: build
	$(CARGO) generate-rpm

pkg-test: deb
	tests/packaging/install-deb "$(CARGO_TARGET_DIR)"/debian/pvm-migrate_*.deb
	tests/packaging/check-rules "$(BIN)"

# With the musl target where it is installed, else with the C library's own archives.
STATIC_TARGET ?= $(shell rustc --print target-list | grep -x "$$(uname -m)-unknown-linux-musl" | while read -r t; do \
	[ -d "$$(rustc --print sysroot)/lib/rustlib/$$t/lib" ] && echo "$$t"; done || true)
STATIC_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
static:
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --release --locked --no-default-features --bin pvm \
		--target $(or $(STATIC_TARGET),$(STATIC_HOST))
	install -D -m 755 "$(CARGO_TARGET_DIR)/$(or $(STATIC_TARGET),$(STATIC_HOST))/release/pvm" "$(CARGO_TARGET_DIR)/static/pvm"

# Installs what `make build` made, so that no compiler runs as root. Settings that are there stay.
UNITS = pvm-recover.service pvm-recover.timer pvm-metrics.service pvm-metrics.timer
install:
	@test -x "$(BIN)" || { echo "Run 'make build' first."; exit 1; }
	install -D -m 755 "$(BIN)" "$(DESTDIR)$(PREFIX)/bin/pvm"
	for page in man/*.[578]; do \
		install -D -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page#man/}" || exit 1; done
	install -D -m 644 completions/pvm.bash "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pvm"
	install -D -m 644 completions/_pvm "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pvm"
	install -D -m 644 completions/pvm.fish "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pvm.fish"
	for schema in man/schema/*.json; do \
		install -D -m 644 "$$schema" "$(DESTDIR)$(PREFIX)/share/pvm/schema/$${schema##*/}" || exit 1; done
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	for unit in $(UNITS); do \
		sed 's|/usr/bin/pvm|$(PREFIX)/bin/pvm|' ".packaging/systemd/$$unit" >"$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit" || exit 1; done
	[ -e "$(DESTDIR)$(SYSCONFDIR)/pvm/pvm.yaml" ] || install -D -m 644 .packaging/pvm.yaml "$(DESTDIR)$(SYSCONFDIR)/pvm/pvm.yaml"

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/pvm" "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pvm" \
		"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pvm" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pvm.fish" \
		$(foreach page,$(notdir $(wildcard man/*.[578])),"$(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(page)))/$(page)") \
		$(foreach schema,$(notdir $(wildcard man/schema/*.json)),"$(DESTDIR)$(PREFIX)/share/pvm/schema/$(schema)") \
		$(foreach unit,$(UNITS),"$(DESTDIR)$(PREFIX)/lib/systemd/system/$(unit)")
