# boot-id: which boot of the machine this is.
# shellcheck shell=bash
cat /proc/sys/kernel/random/boot_id
