# access-revoke: make sshd refuse the keys of the list (KRL) on stdin, and every certificate for them or
# signed by them. A machine that was made without such a list gets the setting for it.
# shellcheck shell=bash
list=/etc/ssh/corefab-revoked
setting=/etc/ssh/sshd_config.d/31-corefab-revoked.conf
one_at_a_time access
cat >"$list.new"
# sshd lets no one in with a list that it cannot read.
ssh-keygen -Q -l -f "$list.new" >/dev/null || fail "the list of refused keys did not arrive whole"
chmod 0644 "$list.new"
sync "$list.new"
label "$list.new"
mv -fT "$list.new" "$list"
if [ ! -e "$setting" ]; then
  install -m 0600 /dev/null "$setting"
  echo "RevokedKeys $list" >"$setting"
  label "$setting"
  (reload_sshd) || { rm -f "$setting" && exit 1; }
fi
sshd -T | grep -ix "revokedkeys $list" >/dev/null \
  || fail "sshd does not read $list: another RevokedKeys stands before it in /etc/ssh/sshd_config.d"
