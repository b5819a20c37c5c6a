# proxy-certificates set-aside|put-back|forget NAME...: what the node's proxy has stored of certificates for
# these names. The proxy that runs has them in memory as well.
# shellcheck shell=bash
verb=$1
shift
stored=/var/lib/corefab-proxy/data/certificates
aside=/var/lib/corefab-proxy/certificates-aside
[ "$verb" != set-aside ] || [ -d "$stored" ] || fail "the proxy of this node has no certificates"

# pairs FROM: print authority/name of each certificate for the names, stored below FROM.
pairs() {
  local name
  for name in "${names[@]}"; do
    find "$1" -mindepth 2 -maxdepth 2 -type d -name "${name//:/-}" -printf '%P\n' 2>/dev/null || true
  done
}

names=("$@")
case $verb in
  set-aside)
    # Those that an interrupted rotation set aside are older.
    for pair in $(pairs "$stored"); do
      install -d -m 0700 "$aside/${pair%/*}"
      rm -rf "${aside:?}/$pair"
      mv -T "$stored/$pair" "$aside/$pair"
    done
    ;;
  put-back)
    for pair in $(pairs "$aside"); do
      rm -rf "${stored:?}/$pair"
      mv -T "$aside/$pair" "$stored/$pair"
    done
    ;;
  forget)
    for pair in $(pairs "$aside"); do rm -rf "${aside:?}/$pair"; done
    ;;
esac
