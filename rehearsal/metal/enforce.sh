#!/usr/bin/env bash
# Makes the stock tree $1 enforce SELinux, with Debian's policy and the rules of policy.cil, and labels
# its files; in a private mount namespace.
set -euo pipefail
root=$1
policy=$(dirname "$(readlink -f "$0")")/policy.cil
files=$root/etc/selinux/default/contexts/files

printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' >"$root/etc/selinux/config"
printf 'enable %s\n' audit-rules.service auditd.service \
  >"$root/usr/lib/systemd/system-preset/41-audit.preset"
install -d -m 0700 "$root/var/log/audit"

# A kernel of Debian 12 reads no newer policy.
echo 'policy-version = 33' >>"$root/etc/selinux/semanage.conf"
rm "$root"/etc/selinux/default/policy/policy.*
cp "$policy" "$root/etc/selinux/corefab.cil"
chroot "$root" semodule --install=/etc/selinux/corefab.cil
chroot "$root" setsebool -P systemd_tmpfiles_manage_all=on
rm "$root/etc/selinux/corefab.cil"

# Folders that lie elsewhere than Debian's; /var/home has contexts of its own.
printf '/var/%s\n' 'usrlocal /usr/local' 'opt /opt' 'srv /srv' 'mnt /mnt' \
  >>"$files/file_contexts.subs_dist"
chroot "$root" setfiles -m -F /etc/selinux/default/contexts/files/file_contexts /
