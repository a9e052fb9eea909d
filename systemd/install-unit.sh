#!/bin/sh
# install-unit.sh BUILT FOLDER -- installs a unit under its own name; two units share one name,
# which meson's targets may not.
set -eu
install -d -m 755 "${DESTDIR-}$2"
install -m 644 "$1" "${DESTDIR-}$2/bbtd.service"
