#!/bin/busybox sh
# shellcheck shell=dash
# /init of a virtual machine's first boot and every other: what Fedora CoreOS's initramfs does, for
# the disk image of this folder. Network and modules are handed on to the real system.
set -eu
PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /new
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
trap 'echo "initramfs: failed"; poweroff -f' EXIT

for module in virtio_pci virtio_blk virtio_net virtio_rng qemu_fw_cfg; do
  modprobe "$module" || echo "initramfs: no module $module"
done
while [ ! -b /dev/vda4 ]; do usleep 100000; done
mount /dev/vda4 /new

# QEMU's user network is always the same; the stock root asks no DHCP.
for path in /sys/class/net/e*; do link=${path##*/}; done
ip link set lo up
ip link set "$link" up
ip address add 10.0.2.15/24 dev "$link"
ip route add default via 10.0.2.2

mount -t tmpfs -o mode=0755,size=20% run /new/run
mkdir -p /boot
mount /dev/vda3 /boot
if [ -e /boot/ignition.firstboot ]; then
  echo 'initramfs: first boot'
  cp -r /lib/modules /new/usr/lib/
  mount -t proc proc /new/proc
  mount -t sysfs sys /new/sys
  mount -t devtmpfs dev /new/dev
  mkdir -p /new/run/ignite /new/usr/lib/ignition/base.d
  cp /ignition /setfiles /new/run/ignite/
  cp /core.ign /new/usr/lib/ignition/base.d/00-core.ign
  for stage in fetch files; do
    PATH=/run/ignite:/usr/bin chroot /new /run/ignite/ignition --platform=qemu \
      --stage="$stage" --root=/ --config-cache=/run/ignite/config --log-to-stdout
  done
  PATH=/usr/bin chroot /new systemctl preset-all --quiet
  contexts=/etc/selinux/default/contexts/files/file_contexts
  [ ! -e "/new$contexts" ] \
    || PATH=/usr/bin chroot /new setfiles -m -F "$contexts" /etc/systemd /usr/lib/modules
  umount /new/dev /new/sys /new/proc
  rm -r /new/run/ignite
  rm /boot/ignition.firstboot
fi
umount /boot
trap - EXIT
echo 'initramfs: starting the system'
exec switch_root /new /usr/lib/systemd/systemd
