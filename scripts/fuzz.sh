#!/bin/sh
# Runs libFuzzer on every target for SECONDS_EACH (60) seconds, starting from the corpora. Needs clang and its
# runtime (libclang-rt-dev). New inputs are kept in build-fuzz/found/NAME; a crash stops the script.
set -eu
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Dnginx=disabled -Db_lundef=false
for corpus in fuzz/corpus/*; do
    name=$(basename "$corpus")
    ninja -C build-fuzz "fuzz/fuzz_$name"
    mkdir -p "build-fuzz/found/$name"
    dict="fuzz/$name.dict"
    [ ! -f "$dict" ] || set -- "-dict=$dict"
    "build-fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        "$@" "build-fuzz/found/$name" "$corpus"
    set --
done
