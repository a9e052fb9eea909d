# packages.sh -- sourced by ./check and ./quickstart: the Debian packages that each needs.
# Nothing is asked of the network where nothing is missing.

packages_build="meson ninja-build pkg-config gcc libc6-dev libuv1-dev libcurl4-openssl-dev
libsqlite3-dev libopenblas-pthread-dev liblapacke-dev libmicrohttpd-dev libjansson-dev
libyaml-dev libssl-dev libsystemd-dev tzdata python3"
packages_demo="wordnet-base"
packages_test="clang libclang-rt-14-dev libcmocka-dev valgrind binutils util-linux systemd
python3-numpy python3-torch python3-cmaes curl bible-kjv bible-kjv-text dict-devil dict-elements
dict-gcide"

# packages_need NAME...: installs those that are missing, by root or sudo.
packages_need()
{
    local missing=() p as_root=()

    command -v dpkg-query >/dev/null || return 0 # not Debian: meson will say what it lacks
    for p in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
            missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing: ${missing[*]}" >&2
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" >&2
}
