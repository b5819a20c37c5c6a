# install-disk CONFIG WORD...: run this coreos-installer command as a unit of the live system: a lost
# connection does not interrupt it. Its output goes to stdout at once.
# shellcheck shell=bash
config=$1
shift
unit=corefab-install.service
log=$(dirname "$config")/log
systemctl stop "$unit" 2>/dev/null || true
systemctl reset-failed "$unit" 2>/dev/null || true
: >"$log"
systemd-run --quiet --unit="$unit" --property=RemainAfterExit=yes \
  --property=StandardOutput="append:$log" --property=StandardError="append:$log" "$@"
pid=$(systemctl show -P MainPID "$unit")
if [ "$pid" != 0 ]; then
  tail --lines=+1 --follow --sleep-interval=0.2 --pid="$pid" "$log"
else
  cat "$log"
fi
while [ "$(systemctl show -P SubState "$unit")" = running ]; do sleep 0.1; done
code=$(systemctl show -P ExecMainStatus "$unit")
result=$(systemctl show -P Result "$unit")
systemctl stop "$unit" 2>/dev/null || true
rm -f "$config"
[ "$result" = success ] || exit "$((code > 0 ? code : 1))"
