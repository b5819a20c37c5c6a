# before-switch APP SLOT SECONDS WORD...: run a command in the new release's container, once.
# shellcheck shell=bash
app=$1 slot=$2 seconds=$3
shift 3
code=0
# What goes on in the container after that ends with it: a failure stops the slot.
said=$(timeout --kill-after=5s "${seconds}s" podman exec "$app-$slot" "$@" 2>&1 </dev/null) || code=$?
said=$(tail -n 20 <<<"$said" | sed 's/^/  | /')
case $code in
  0) printf '%s\n' "$said" ;;
  124 | 137) fail "BEFORE_SWITCH did not end within $seconds s:
$said" ;;
  *) fail "BEFORE_SWITCH ended with exit code $code:
$said" ;;
esac
