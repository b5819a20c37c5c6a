# host-key VERB: change the SSH host keys of this machine, in steps that each leave sshd working.
#   begin   make the next keys
#   announce announce them beside the present ones, which are still the ones shown
#   finish  give the next keys the usual names, and forget the old ones
#   list    say the keys that are announced, and since when
# All verbs answer the keys that are there then, and whether the change is not finished, as JSON.
# shellcheck shell=bash disable=SC2016
verb=$1
one_at_a_time host-key
folder=/etc/ssh
config=$folder/sshd_config.d/20-corefab-host-keys.conf

keys() { find "$folder" -maxdepth 1 -name "ssh_host_*_key$1" | sort; }

reload() {
  local unit
  sshd -t || fail "sshd refuses its configuration; nothing was reloaded"
  for unit in sshd ssh; do
    if systemctl -q is-active "$unit.service"; then
      systemctl reload "$unit.service"
      return
    fi
  done
  fail "no sshd runs as a service here"
}

case $verb in
  begin)
    for key in $(keys ''); do
      [ ! -e "$key.corefab-next" ] || continue
      kind=${key##*/ssh_host_}
      rm -f "$key.corefab-made" "$key.corefab-made.pub"
      ssh-keygen -q -t "${kind%_key}" -N '' -C '' -f "$key.corefab-made"
      mv -fT "$key.corefab-made.pub" "$key.corefab-next.pub"
      sync "$key.corefab-made"
      mv -fT "$key.corefab-made" "$key.corefab-next"
    done
    label "$folder"
    ;;
  announce)
    # The first key of a type is the one that is shown; ssh learns the others (UpdateHostKeys).
    {
      echo '# The present host keys, and the next ones beside them, until the change is finished.'
      for key in $(keys '') $(keys .corefab-next); do echo "HostKey $key"; done
    } >"$config.new"
    chmod 0600 "$config.new"
    label "$config.new"
    mv -fT "$config.new" "$config"
    reload
    ;;
  finish)
    for key in $(keys .corefab-next); do
      usual=${key%.corefab-next}
      # Should sshd start between these, it finds one of the two, or another type.
      mv -fT "$key.pub" "$usual.pub"
      mv -fT "$key" "$usual"
    done
    rm -f "$config"
    reload
    ;;
  list) ;;
  *) fail "host-key: $verb is no verb" ;;
esac
changing=no
if [ -e "$config" ] || [ -n "$(keys .corefab-next)" ]; then changing=yes; fi
answer --arg changing $changing --rawfile keys <(host_keys) \
  '{$changing, keys: ($keys | table("key age_seconds next"))}'
