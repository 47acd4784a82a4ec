#!/bin/sh
# Installs the Debian packages that are missing; with nothing missing it does nothing and needs no rights. Root
# calls apt-get itself, others through sudo.
#
# usage: deps.sh         what building, running and testing need
#        deps.sh fuzz    what the fuzz targets need besides
set -eu

build="meson ninja-build gcc libc6-dev pkg-config python3 libssl-dev libxxhash-dev libjansson-dev libyaml-dev
libsqlite3-dev libmicrohttpd-dev libmaxminddb-dev libarchive-dev zlib1g-dev libcurl4-openssl-dev"
module="nginx nginx-dev dpkg-dev"
test="libcmocka-dev bgpdump bzip2 xz-utils zstd gzip iproute2 ethtool util-linux procps curl nghttp2-client
python3-cryptography sqlite3 openssl"
fuzz="clang libclang-rt-dev"

case "${1:-}" in
"") wanted="$build $module $test" ;;
fuzz) wanted="$build $module $test $fuzz" ;;
*) echo "usage: $0 [fuzz]" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    as_root="sudo"
    if ! command -v sudo >/dev/null; then
        echo "$0: packages are missing, and there is no sudo. As root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi

# Debian's nginx package would start the system's own nginx, now and at each boot, but it is wanted as a program
# only. One that was here before is left as it is, so is a policy-rc.d.
nginx=""
case "$missing " in *" nginx "*) nginx=new ;; esac
policy=/usr/sbin/policy-rc.d
made_policy=""
clean_up() {
    [ -z "$made_policy" ] || $as_root rm -f $policy
    [ -z "$nginx" ] || [ ! -e /etc/init.d/nginx ] || $as_root update-rc.d nginx disable
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM # dash has no EXIT trap for these otherwise

echo "installing:$missing"
apt_get="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q"
$apt_get update
if [ -n "$nginx" ] && [ ! -e $policy ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi
# shellcheck disable=SC2086
$apt_get install -y --no-install-recommends $missing
