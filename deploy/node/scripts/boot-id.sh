# boot-id: print the id of the machine's present boot.
# shellcheck shell=bash
cat /proc/sys/kernel/random/boot_id
