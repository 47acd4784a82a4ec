#!/bin/sh
# Runs libFuzzer on every target for SECONDS_EACH (60) seconds, starting from the corpora. Needs clang and its
# runtime (`scripts/deps.sh fuzz`). New inputs are kept in build-fuzz/found/NAME; what crashed a target is left in
# build-fuzz/NAME-crash-..., and the script stops.
set -eu
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Dnginx=disabled -Db_lundef=false
for corpus in fuzz/corpus/*; do
    name=$(basename "$corpus")
    ninja ${JOBS:+-j$JOBS} -C build-fuzz "fuzz/fuzz_$name"
    mkdir -p "build-fuzz/found/$name"
    case $name in open | update) dict=fuzz/bgp.dict ;; *) dict="fuzz/$name.dict" ;; esac
    [ ! -f "$dict" ] || set -- "-dict=$dict"
    "build-fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build-fuzz/$name-" "$@" "build-fuzz/found/$name" "$corpus"
    set --
done
