# before-switch APP SLOT SECONDS WORD...: run BEFORE_SWITCH in the new release's container, once.
# shellcheck shell=bash
app=$1 slot=$2 seconds=$3
shift 3
code=0
# On failure the slot is stopped, and with it whatever the command left running in the container.
said=$(in_container "$app-$slot" "$seconds" "$@" 2>&1) || code=$?
said=$(tail -n 20 <<<"$said" | sed 's/^/  | /')
case $code in
  0) printf '%s\n' "$said" ;;
  124 | 137) fail "BEFORE_SWITCH did not end within $seconds s:
$said" ;;
  *) fail "BEFORE_SWITCH ended with exit code $code:
$said" ;;
esac
