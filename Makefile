# The front door. Behind it is Meson; nothing here that `meson` and `ninja` could not be asked directly.

BUILD ?= build
ASAN  ?= build-asan
NINJA := ninja $(if $(JOBS),-j$(JOBS))

# What is installed: without the tests and benchmarks, which `make test` and `make bench` build.
PARTS := whereto nginx/ngx_http_whereto_module.so man/whereto.1 man/whereto.yaml.5

.PHONY: deps setup build run test bench fuzz screenshots install clean

deps:
	scripts/deps.sh

setup:
	scripts/deps.sh build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) $(if $(CI),-Dwerror=true)

build: setup
	$(NINJA) -C $(BUILD) $(PARTS)

run: build
	$(BUILD)/whereto demo

test: deps
	@$(MAKE) --no-print-directory setup
	@test -f $(ASAN)/build.ninja || meson setup $(ASAN) -Db_sanitize=address,undefined -Db_lundef=false -Dnginx=disabled
	$(NINJA) -C $(BUILD)
	$(NINJA) -C $(ASAN)
	scripts/test.py $(BUILD) $(ASAN)

bench: deps
	@$(MAKE) --no-print-directory setup
	meson test -C $(BUILD) --benchmark --verbose --num-processes 1

fuzz:
	scripts/deps.sh fuzz
	$(if $(JOBS),JOBS=$(JOBS)) scripts/fuzz.sh

# docs/screenshots/, from the demo
screenshots: deps
	@$(MAKE) --no-print-directory build
	scripts/screenshots.py $(BUILD)/whereto

install: build
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(ASAN) build-fuzz
