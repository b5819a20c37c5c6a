# load-image APP ID FORM REF: take an image from stdin, in a form of skopeo's that is compressed by zstd, and
# name it localhost/APP:sent when it is the one of that id. Names that the archive has stay out.
# shellcheck shell=bash
app=$1 id=${2#sha256:} form=$3 ref=$4
place=/var/lib/corefab/images/$id
file=/dev/stdin arriving=localhost/$app:arriving
install -d -m 0755 /run/corefab
exec 7>"/run/corefab/image-$id.lock"
flock 7
# It arrives whole or not at all: nothing goes on from a part of it.
forget_whole() {
  rm -f "$place/whole"
  rmdir "$place" 2>/dev/null || true
}
trap forget_whole EXIT
if [ "$form" = oci-archive ]; then
  # This one skopeo reads from a file alone.
  (umask 077 && mkdir -p "$place")
  file=$place/whole
  zstd -dcq >"$file"
fi
# Told an id, skopeo gives it to whatever comes; by itself it takes the digest of the config.
skopeo copy -q "$form:$file${ref:+:$ref}" "containers-storage:$arriving"
found=$(podman image inspect --format '{{.Id}}' "$arriving")
if [ "$found" != "$id" ]; then
  podman rmi --no-prune "$arriving" >/dev/null 2>&1 || podman untag "$arriving" "$arriving"
  fail "another image arrived, ${found:0:12} and not ${id:0:12}"
fi
podman tag "$id" "localhost/$app:sent"
podman untag "$arriving" "$arriving"
rm -rf "$place"
