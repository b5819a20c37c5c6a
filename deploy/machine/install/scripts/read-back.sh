# read-back DEVICE: read from an installed disk what it will boot with, as JSON.
# shellcheck shell=bash
device=$1
udevadm settle
boot=$(lsblk --noheadings --list --output PATH,LABEL "$device" | awk '$2 == "boot" {print $1}')
[ -n "$boot" ] || fail "$device has no file system labelled boot"
mounted=/run/corefab-install/boot
mkdir -p "$mounted"
mount -o ro "$boot" "$mounted"
trap 'umount "$mounted"' EXIT
entry=$(find "$mounted/loader/entries" -name '*.conf' | sort | tail -n 1)
jq -n \
  --arg sha256 "$(sha256sum <"$mounted/ignition/config.ign" | cut -d ' ' -f 1)" \
  --arg mode "$(stat -c %a "$mounted/ignition/config.ign")" \
  --arg options "$(sed -n 's/^options //p' "$entry")" \
  --argjson first "$(if [ -e "$mounted/ignition.firstboot" ]; then echo true; else echo false; fi)" \
  '{sha256: $sha256, mode: $mode, options: $options, first_boot: $first}'
