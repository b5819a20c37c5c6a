# live-facts DEVICE KEYFILES: what a live system is and has, as JSON; DEVICE (or -) is resolved to its
# disk, KEYFILES is the folder of network configuration.
# shellcheck shell=bash
device=$1 keyfiles=$2
udevadm settle

# Whole disks whose device node exists; sysfs may list others.
present() { while read -r path; do if [ -b "$path" ]; then echo "$path"; fi; done; }
mapfile -t disks < <(lsblk --nodeps --noheadings --list --output PATH | present)
# Only with NAME among the columns does lsblk nest partitions below their disk.
columns=NAME,KNAME,PATH,TYPE,SIZE,MODEL,SERIAL,TRAN,RO,PTTYPE,PARTLABEL,LABEL,FSTYPE,MOUNTPOINTS
lsblk_json() {
  if [ ${#disks[@]} -eq 0 ]; then echo '{"blockdevices": []}' && return; fi
  lsblk --json --bytes --output "$columns" "${disks[@]}"
}

jq -n \
  --arg boot_id "$(cat /proc/sys/kernel/random/boot_id)" \
  --arg system "$(. /etc/os-release && printf '%s' "$PRETTY_NAME")" \
  --argjson installing "$(if [ "$(systemctl show -P SubState corefab-install.service)" = running ]
    then echo true; else echo false; fi)" \
  --arg installer "$(coreos-installer --version 2>/dev/null | cut -d ' ' -f 2 || true)" \
  --arg ignition "$(rpm -q --queryformat '%{VERSION}' ignition 2>/dev/null || true)" \
  --arg memory "$(df --output=avail -B1 /run | tail -n 1)" \
  --arg device "$(if [ -b "$device" ]; then readlink -f "$device"; fi)" \
  --arg keyfiles "$(find "$keyfiles" -maxdepth 1 -type f -printf '%f\n' 2>/dev/null || true)" \
  --slurpfile links <(ip -json address show up) \
  --slurpfile lsblk <(lsblk_json) \
  '{boot_id: $boot_id, system: $system, is_installing: $installing,
    installer: $installer, ignition: $ignition, memory_free: ($memory | tonumber),
    device: $device, keyfiles: ($keyfiles | split("\n") | map(select(. != ""))),
    fixed_addresses: [$links[0][] | select(.ifname != "lo") | .addr_info[]
      | select(.family == "inet" and .scope == "global" and (.dynamic | not)) | .local],
    disks: $lsblk[0]}'
