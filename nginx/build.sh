#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Builds ngx_http_whereto_module.so for the installed Debian nginx, in the way of Debian's own modules
# (dh-sequence-nginx): nginx's configure from nginx-dev with the flags nginx was built with.
#
#   build.sh FOLDER     -> FOLDER/ngx_http_whereto_module.so
#
# Works as any user and beside others: configure runs in a copy of nginx-dev's sources inside FOLDER, once,
# and again when nginx-dev or `config` has changed.
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: $0 FOLDER" >&2
    exit 2
fi
module=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
sources=${NGINX_SOURCES:-/usr/share/nginx/src}
work=$folder/work
stamp=$work/configured

if [ ! -x "$sources/configure" ]; then
    echo "$0: $sources/configure isn't there: install nginx-dev" >&2
    exit 1
fi

configure() {
    rm -rf "$work"
    mkdir -p "$work"
    cp -r "$sources" "$work/nginx"
    cd "$work/nginx"
    . ./conf_flags
    ./configure "${NGX_CONF_FLAGS[@]}" \
        --with-cc-opt="$(dpkg-buildflags --get CFLAGS) -fPIC $(dpkg-buildflags --get CPPFLAGS)" \
        --with-ld-opt="$(dpkg-buildflags --get LDFLAGS) -fPIC" \
        --add-dynamic-module="$module" --builddir="$work/objects" > "$work/configure.log" 2>&1 || {
        tail -20 "$work/configure.log" >&2
        exit 1
    }
    touch "$stamp"
}

if [ ! -e "$stamp" ] || [ "$module/config" -nt "$stamp" ] || [ "$sources/conf_flags" -nt "$stamp" ]; then
    configure
fi
make -s -f "$work/objects/Makefile" -C "$work/nginx" modules > "$work/make.log" 2>&1 || {
    cat "$work/make.log" >&2
    exit 1
}
cp "$work/objects/ngx_http_whereto_module.so" "$folder/"
