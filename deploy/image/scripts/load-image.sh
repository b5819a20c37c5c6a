# load-image APP ID FORM REF: load an image from stdin, in skopeo's format FORM compressed with zstd, and
# tag it localhost/APP:sent if its id is ID. Tags inside the archive are ignored. Exit code 7: podman
# refuses a layer.
# shellcheck shell=bash
app=$1 id=${2#sha256:} form=$3 ref=$4
place=/var/lib/corefab/images/$id
file=/dev/stdin arriving=localhost/$app:arriving
lock=$(lock_file "image-$id.lock")
exec 7<>"$lock"
wait_for_lock 7 "$lock" 3600
# An interrupted load starts from the beginning next time.
forget_whole() {
  rm -f "$place/whole"
  rmdir "$place" 2>/dev/null || true
}
trap forget_whole EXIT
if [ "$form" = oci-archive ]; then
  # Skopeo reads this format only from a file.
  (umask 077 && mkdir -p "$place")
  file=$place/whole
  zstd -dcq >"$file"
fi
# Without an id in the target, skopeo uses the digest of the config; with one it does not check it.
said=$(skopeo copy -q "$form:$file${ref:+:$ref}" "containers-storage:$arriving" 2>&1) || {
  if why=$(unpacking_error "$said"); then fail "$why" 7; fi
  fail "this node cannot assemble the image: ${said##*$'\n'}"
}
found=$(podman image inspect --format '{{.Id}}' "$arriving")
if [ "$found" != "$id" ]; then
  podman rmi --no-prune "$arriving" >/dev/null 2>&1 || podman untag "$arriving" "$arriving"
  fail "received image ${found:0:12}, expected ${id:0:12}"
fi
podman tag "$id" "localhost/$app:sent"
podman untag "$arriving" "$arriving"
rm -rf "$place"
