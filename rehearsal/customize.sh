#!/usr/bin/env bash
# Turns the Debian tree $1, fresh from mmdebstrap, into the stock node's shape; in a private mount
# namespace.
set -euo pipefail
shopt -s nullglob
root=$1
overlay=$(dirname "$(readlink -f "$0")")/overlay

cp -r --preserve=mode --no-preserve=ownership "$overlay/." "$root/"
chmod 0440 "$root/etc/sudoers.d/coreos-sudo-group"

# The stock node has neither Perl nor Python, and no packages can be added to it.
grep -rlIE -m1 '^#!.*(perl|python)' "$root/usr" | xargs -r rm -f
rm -rf "$root"/usr/bin/perl* "$root"/usr/{share,lib/*}/{perl,perl5,perl-base} \
  "$root"/usr/lib/*/perl "$root"/usr/lib/*/perl-base \
  "$root"/usr/{bin,sbin}/{apt,apt-*,dpkg,dpkg-*,deb-systemd-*,debconf*,ucf*,update-rc.d,invoke-rc.d} \
  "$root"/usr/{bin/update-alternatives,sbin/update-passwd,sbin/addgroup,sbin/delgroup} \
  "$root"/usr/lib/{apt,dpkg} "$root"/usr/share/{debconf,lintian,bug,info} \
  "$root"/etc/{apt,dpkg,debconf.conf,cron.daily,init.d,rc?.d,runit,sv,ufw,logcheck} \
  "$root"/var/{lib/{apt,dpkg,ucf},cache,backups,log,local,opt,mail}

# Only /etc and /var may be written on the stock node; the rest of the root points into /var.
mkdir -p "$root"/var/{home,roothome,opt,srv,mnt,usrlocal/{bin,sbin,lib,etc,share},cache,log,tmp}
chmod 0700 "$root/var/roothome"
chmod 1777 "$root/var/tmp"
for link in home:var/home root:var/roothome opt:var/opt srv:var/srv mnt:var/mnt media:run/media; do
  rm -rf "${root:?}/${link%%:*}"
  ln -s "${link#*:}" "$root/${link%%:*}"
done
rm -rf "${root:?}/usr/local"
ln -s ../var/usrlocal "$root/usr/local"
sed -i 's|^/root:|/var/roothome:|; s|^root:x:0:0:root:/root:|root:x:0:0:root:/var/roothome:|' "$root/etc/passwd"
printf 'HOME=/var/home\nSHELL=/bin/bash\nSKEL=/etc/skel\nCREATE_MAIL_SPOOL=no\n' >"$root/etc/default/useradd"
grep -q '^wheel:' "$root/etc/group" || chroot "$root" groupadd --system wheel
ln -sf bash "$root/usr/bin/sh"

# /usr/sbin is /usr/bin there; where both had a name, the program outlives the link to it.
mv --no-clobber "$root"/usr/sbin/* "$root/usr/bin/"
rm -r "$root/usr/sbin"
ln -s bin "$root/usr/sbin"

# Each node makes its own identity on its first boot, which is also when presets are applied.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf" \
  "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed"
echo uninitialized >"$root/etc/machine-id"
: >"$root/etc/resolv.conf"
: >"$root/etc/fstab"
rm -rf "$root"/etc/systemd/system/*

# The stock node has no systemd-networkd and asks nothing on its console.
rm -rf "$root"/usr/lib/systemd/{systemd-networkd*,system/systemd-networkd*,system/systemd-firstboot.service} \
  "$root"/usr/lib/systemd/{network,system-preset/90-systemd.preset} \
  "$root"/usr/lib/systemd/system/{sysinit.target.wants/systemd-firstboot.service,getty.target.wants} \
  "$root"/usr/lib/systemd/system/*/systemd-networkd* "$root"/usr/bin/networkctl
# Debian makes the stock node's name of ssh.service when that is enabled, over a mask of that name.
sed -i '/^Alias=sshd.service/d' "$root/usr/lib/systemd/system/ssh.service"
ln -s ssh.service "$root/usr/lib/systemd/system/sshd.service"
chroot "$root" systemctl preset-all --quiet

# These would make folders of /home, /srv and /root at every boot, which are links here.
rm "$root/usr/lib/tmpfiles.d/home.conf"
sed -i '/[[:space:]]\/root/d' "$root/usr/lib/tmpfiles.d/provision.conf"

# What the first boot would otherwise compute again on every node. Systemd's programs need /proc; the
# caller's mount namespace ends with this script.
mount --bind /proc "$root/proc"
chroot "$root" ldconfig
chroot "$root" systemd-sysusers
chroot "$root" journalctl --update-catalog
