#!/bin/sh
# Installs the Debian packages that building, running and testing need, those that are missing only.
# As root it calls apt-get itself, else through sudo; with nothing missing it needs neither.
set -eu

build="meson ninja-build gcc libc6-dev pkg-config python3 libssl-dev libxxhash-dev libjansson-dev libyaml-dev
libsqlite3-dev libmicrohttpd-dev libmaxminddb-dev libarchive-dev zlib1g-dev libcurl4-openssl-dev"
module="nginx nginx-dev dpkg-dev"
test="libcmocka-dev bgpdump bzip2 xz-utils zstd gzip iproute2 ethtool util-linux procps curl nghttp2-client
python3-cryptography sqlite3 openssl"

missing=""
for package in $build $module $test; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
run=""
[ "$(id -u)" = 0 ] || run="sudo"
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -q
# Debian's nginx package would start the system's own nginx: it is wanted as a program only.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $run tee $policy >/dev/null
    $run chmod 755 $policy
    trap '$run rm -f $policy' EXIT
fi
# shellcheck disable=SC2086
$run apt-get install -q -y --no-install-recommends $missing
