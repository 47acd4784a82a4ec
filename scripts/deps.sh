#!/bin/sh
# Installs the Debian packages that are missing; with nothing missing it does nothing and needs no rights. Root
# calls apt-get itself, others through sudo.
#
# usage: deps.sh         what building, running and testing need
#        deps.sh build   what building and running need
#        deps.sh fuzz    what the fuzz targets need besides
set -eu

build="meson ninja-build gcc libc6-dev pkg-config python3 libssl-dev libxxhash-dev libjansson-dev libyaml-dev
libsqlite3-dev libpq-dev libmicrohttpd-dev libmaxminddb-dev libarchive-dev zlib1g-dev libcurl4-openssl-dev
libcmocka-dev"
module="nginx nginx-dev dpkg-dev"
probe="clang llvm libbpf-dev bpftool"
database="postgresql-15 postgresql-15-ip4r clickhouse-server zookeeper default-jre-headless"
browser="chromium fonts-dejavu-core"
test="bgpdump bzip2 xz-utils zstd gzip iproute2 ethtool util-linux procps zsh fish curl nghttp2-client
python3-cryptography sqlite3 openssl prometheus haproxy socat wrk $database $browser"
# The other ends of the end-to-end tests of routes.
routers="frr gobgpd bird2 openbgpd exabgp pmacct"
# Of all these, the ones that Debian would start, now and at each boot.
daemons="nginx postgresql-15 clickhouse-server prometheus haproxy $routers"
fuzz="clang libclang-rt-dev"

case "${1:-}" in
"") wanted="$build $module $probe $test $routers" ;;
build) wanted="$build $module $probe" ;;
fuzz) wanted="$build $module $probe $test $routers $fuzz" ;;
*) echo "usage: $0 [build|fuzz]" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
# The dashboard is built by npm; a Node that came from elsewhere brings its own.
command -v npm >/dev/null || missing="$missing nodejs npm"
[ -n "$missing" ] || exit 0
# openbgpd makes its user with it. Left to itself apt-get would bring in all of systemd where there is none.
command -v systemd-sysusers >/dev/null || missing="$missing systemd-standalone-sysusers"

as_root=""
if [ "$(id -u)" != 0 ]; then
    as_root="sudo"
    if ! command -v sudo >/dev/null; then
        echo "$0: packages are missing, and there is no sudo. As root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi

# The daemons are wanted as programs only. One that was here before is left as it is, so is a policy-rc.d.
new_daemons=""
for package in $daemons; do
    case "$missing " in *" $package "*) new_daemons="$new_daemons $package" ;; esac
done
# Nor does PostgreSQL make a cluster when it comes: tests make their own. Those that are here stay.
clusters=/etc/postgresql-common/createcluster.conf
no_cluster="create_main_cluster = false # while whereto's deps.sh runs"
policy=/usr/sbin/policy-rc.d
made_policy=""
services_of() { # nginx's are in nginx-common
    dpkg-query -L "$1" "$1-common" 2>/dev/null |
        sed -n 's,^/etc/init\.d/\([^/]*\)$,\1,p; s,^/lib/systemd/system/\([^/@]*\)\.service$,\1,p' | sort -u
}
clean_up() {
    if grep -qsxF "$no_cluster" $clusters; then
        $as_root sed -i "/whereto's deps.sh/d" $clusters
        # Made above: as the package would have it, if that came.
        [ -s $clusters ] || $as_root cp /usr/share/postgresql-common/createcluster.conf $clusters || $as_root rm $clusters
    fi
    [ -z "$made_policy" ] || $as_root rm -f $policy
    for package in $new_daemons; do
        for service in $(services_of "$package"); do
            [ ! -e "/etc/init.d/$service" ] || $as_root update-rc.d "$service" disable
            $as_root rm -f "/etc/systemd/system/multi-user.target.wants/$service.service"
        done
    done
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM # dash has no EXIT trap for these otherwise

echo "installing:$missing"
apt_get="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q"
$apt_get update
if [ -n "$new_daemons" ] && [ ! -e $policy ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi
case "$missing " in *" postgresql-15 "*)
    $as_root mkdir -p "${clusters%/*}"
    echo "$no_cluster" | $as_root tee -a $clusters >/dev/null ;;
esac
# shellcheck disable=SC2086
$apt_get install -y --no-install-recommends $missing
