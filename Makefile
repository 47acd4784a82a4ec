# The front door. Behind it is Meson; nothing here that `meson` and `ninja` could not be asked directly.

BUILD ?= build
ASAN  ?= build-asan
NINJA := ninja $(if $(JOBS),-j$(JOBS))

.PHONY: deps build run test bench fuzz install clean

deps:
	scripts/deps.sh

build: deps
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) $(if $(CI),-Dwerror=true)
	$(NINJA) -C $(BUILD)

run: build
	$(BUILD)/whereto demo

test: build
	@test -f $(ASAN)/build.ninja || meson setup $(ASAN) -Db_sanitize=address,undefined -Db_lundef=false -Dnginx=disabled
	scripts/test.py $(BUILD) $(ASAN)

bench: build
	meson test -C $(BUILD) --benchmark --verbose --num-processes 1

fuzz: deps
	scripts/fuzz.sh

install: build
	meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) $(ASAN) build-fuzz
