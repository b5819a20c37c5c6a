# host-key VERB: change the SSH host keys of this machine, in steps that each leave sshd working.
#   begin     create the next keys
#   announce  announce them beside the present ones; sshd still shows the present ones
#   finish    rename the next keys to the usual names and remove the old ones
#   forget    end the change: the old keys are not pinned any more
#   list      change nothing
# Every verb prints the resulting keys as JSON, and whether a change is under way.
# shellcheck shell=bash disable=SC2016
verb=$1
one_at_a_time host-key
folder=/etc/ssh
config=$folder/sshd_config.d/20-corefab-host-keys.conf

keys() { find "$folder" -maxdepth 1 -name "ssh_host_*_key$1" | sort; }

put_config() {
  chmod 0600 "$config.new"
  label "$config.new"
  mv -fT "$config.new" "$config"
  reload_sshd
}

case $verb in
  begin)
    for key in $(keys ''); do
      [ ! -e "$key.corefab-next" ] || continue
      kind=$(public_key "$key") || true
      rm -f "$key.corefab-made" "$key.corefab-made.pub"
      # A key of a type that cannot be made here is kept.
      ssh-keygen -q -t "${kind%% *}" -N '' -C '' -f "$key.corefab-made" </dev/null >&2 || continue
      label_as "$key.pub" "$key.corefab-made.pub"
      label_as "$key" "$key.corefab-made"
      mv -fT "$key.corefab-made.pub" "$key.corefab-next.pub"
      sync "$key.corefab-made"
      mv -fT "$key.corefab-made" "$key.corefab-next"
    done
    ;;
  announce)
    # sshd shows the first key of a type; ssh clients learn the others (UpdateHostKeys).
    {
      echo '# The present host keys and the next ones, until the change is finished.'
      for key in $(keys '') $(keys .corefab-next); do echo "HostKey $key"; done
    } >"$config.new"
    put_config
    ;;
  finish)
    for key in $(keys .corefab-next); do
      usual=${key%.corefab-next}
      # If sshd starts between these two, it finds one of the keys, or another type.
      mv -fT "$key.pub" "$usual.pub"
      mv -fT "$key" "$usual"
    done
    # The change is under way until the old keys are unpinned.
    echo '# The old host keys are removed; end the change with: fab host-key-rotate --finish' >"$config.new"
    put_config
    ;;
  forget) rm -f "$config" ;;
  list) ;;
  *) fail "host-key: unknown verb $verb" ;;
esac
answer --arg changing "$(host_keys_changing)" --rawfile keys <(host_keys) \
  '{$changing, keys: ($keys | table("key age_seconds next"))}'
