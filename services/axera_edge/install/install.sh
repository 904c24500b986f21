#!/usr/bin/env bash
# Installs the Pi edge as a service, or brings an installation up to date. Running it again changes nothing that is right.
set -euo pipefail

usage() {
  cat <<'TEXT'
sudo ./install.sh [options]
  --models FOLDER    copy the model from FOLDER
  --device FOLDER    join the bus with the files that `easel edge enroll` made
  --axengine WHEEL   install axengine from this wheel, whose SHA-256 is checked
  --keep-venv        leave the Python environment as it is
  --no-start         do not start the service
  --uninstall        remove everything but models and settings
  --purge            remove those too
TEXT
}

NAME=pi_axera_sd_generator
AXENGINE_SHA256=762d0284623947aac5e4ecd8253e7049be975e9a73a9a6bfa20ac504c362efac  # release 0.1.3.rc3
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE=$(cd "$HERE/../../.." && pwd)
ROOT=${DESTDIR:-}                      # for packagers and tests: everything goes below it, and no service is touched
HOME_DIR=$ROOT/opt/$NAME
CONFIG=$ROOT/etc/$NAME
MODELS='' DEVICE='' AXENGINE='' KEEP_VENV='' NO_START='' UNINSTALL='' PURGE=''

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
live() { [ -z "$ROOT" ] && [ -d /run/systemd/system ]; }

# put SOURCE TARGET MODE [OWNER:GROUP]: copy when it differs, and say so
put() {
  if ! cmp -s "$1" "$2"; then
    install -D -m "$3" "$1" "$2"
    say "wrote   $2"
  fi
  chmod "$3" "$2"
  if [ -n "${4:-}" ] && [ -z "$ROOT" ]; then chown "$4" "$2"; fi
}

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --models|--device|--axengine)
        [ $# -ge 2 ] || fail "$1 needs a value"
        [ -e "$2" ] || fail "$2 does not exist"
        case $1 in --models) MODELS=$2 ;; --device) DEVICE=$2 ;; --axengine) AXENGINE=$2 ;; esac
        shift 2 ;;
      --keep-venv) KEEP_VENV=1; shift ;;
      --no-start) NO_START=1; shift ;;
      --uninstall) UNINSTALL=1; shift ;;
      --purge) UNINSTALL=1 PURGE=1; shift ;;
      -h|--help) usage; exit 0 ;;
      *) usage >&2; fail "unknown option $1" ;;
    esac
  done
}

uninstall() {
  if live; then systemctl disable --now "$NAME" 2>/dev/null || true; fi
  rm -f "$ROOT/etc/systemd/system/$NAME.service" "$ROOT/etc/udev/rules.d/90-pi-axera-sd-generator.rules" \
    "$ROOT/usr/lib/sysusers.d/$NAME.conf"
  rm -rf "$HOME_DIR/venv" "$HOME_DIR/RASPBERRY_PI_SETUP.md"
  if [ -n "$PURGE" ]; then rm -rf "$HOME_DIR" "$CONFIG"; fi
  if live; then systemctl daemon-reload; udevadm control --reload; fi
  say "removed; the user $NAME and the group axcl stay"
}

check_machine() {
  [ -n "$ROOT" ] || [ "$(id -u)" = 0 ] || fail "run it with sudo"
  [ "$(uname -m)" = aarch64 ] || say "note: this is a $(uname -m), not the 64-bit Arm of a Raspberry Pi 5"
  python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' \
    || fail "Python 3.11 or newer with venv is needed: sudo apt install python3-venv"
}

make_users() {
  put "$HERE/$NAME.sysusers" "$ROOT/usr/lib/sysusers.d/$NAME.conf" 0644
  [ -n "$ROOT" ] || systemd-sysusers "$NAME.conf"
}

make_venv() {
  [ -z "$KEEP_VENV" ] || return 0
  [ -x "$HOME_DIR/venv/bin/python" ] || python3 -m venv "$HOME_DIR/venv"
  "$HOME_DIR/venv/bin/pip" install --quiet --disable-pip-version-check --constraint "$SOURCE/constraints.txt" \
    "easel[edge] @ file://$SOURCE"
}

add_axengine() {
  [ -n "$AXENGINE" ] || return 0
  local sum
  sum=$(sha256sum "$AXENGINE" | cut -d' ' -f1)
  [ "$sum" = "$AXENGINE_SHA256" ] || fail "$AXENGINE is not axengine 0.1.3.rc3: its SHA-256 is $sum"
  "$HOME_DIR/venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps "$AXENGINE"
  "$HOME_DIR/venv/bin/pip" install --quiet --disable-pip-version-check 'cffi>=1' 'ml-dtypes>=0.1'
}

copy_model() {
  [ -n "$MODELS" ] || return 0
  local file
  while IFS= read -r -d '' file; do
    put "$MODELS/$file" "$HOME_DIR/models/$file" 0644
  done < <(cd "$MODELS" && find . -type f \( -name '*.axmodel' -o -name '*.onnx' -o -name '*.npy' -o -name '*.json' \
    -o -name 'merges.txt' \) -print0)
}

configure() {
  install -d -m 0755 "$CONFIG"
  [ -e "$CONFIG/service.env" ] || put "$HERE/service.env" "$CONFIG/service.env" 0644
  [ -n "$DEVICE" ] || return 0
  local file
  for file in edge.env device.nk; do
    [ -e "$DEVICE/$file" ] || fail "$DEVICE has no $file: it is not what 'easel edge enroll' made"
  done
  put "$DEVICE/edge.env" "$CONFIG/edge.env" 0644
  put "$DEVICE/device.nk" "$CONFIG/device.nk" 0640 "root:$NAME"
  if [ -e "$DEVICE/ca.pem" ]; then put "$DEVICE/ca.pem" "$CONFIG/ca.pem" 0644; fi
}

start() {
  put "$SOURCE/RASPBERRY_PI_SETUP.md" "$HOME_DIR/RASPBERRY_PI_SETUP.md" 0644
  put "$HERE/90-pi-axera-sd-generator.rules" "$ROOT/etc/udev/rules.d/90-pi-axera-sd-generator.rules" 0644
  put "$HERE/$NAME.service" "$ROOT/etc/systemd/system/$NAME.service" 0644
  live || return 0
  udevadm control --reload
  udevadm trigger --action=change || true
  systemctl daemon-reload
  systemctl enable --quiet "$NAME"
  [ -n "$NO_START" ] || systemctl restart "$NAME" || say "note: it did not start; 'journalctl -u $NAME' says why"
}

examine() {
  [ -x "$HOME_DIR/venv/bin/$NAME" ] || return 0
  local words=()
  while IFS= read -r line; do words+=("$line"); done < <(grep -hE '^[A-Z_]+=' "$CONFIG"/*.env)
  env "${words[@]}" "$HOME_DIR/venv/bin/$NAME" doctor || say "the lines with 'fail' need mending first"
}

read_options "$@"
if [ -n "$UNINSTALL" ]; then uninstall; exit 0; fi
check_machine
make_users
make_venv
add_axengine
copy_model
configure
start
examine
