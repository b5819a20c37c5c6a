# verify-image ID: print the file tree of an image as a tar in base64: `tree.tar` has every path with its
# attributes and no content, `sums` the hash of each file's content.
# shellcheck shell=bash
id=$1
install -d -m 0755 /var/lib/corefab
lock=$(lock_file "image-${id#sha256:}.lock")
exec 7<>"$lock"
wait_for_lock 7 "$lock" 3600
# Not on a tmpfs, which may not support every attribute; prune removes what a power cut leaves here.
incoming=/var/lib/corefab/images/${id#sha256:}
place=$incoming/verify
(umask 077 && rm -rf "$place" && mkdir -p "$place")
mounted=
end() {
  if [ -n "$mounted" ]; then podman image unmount "$id" >/dev/null 2>&1 || true; fi
  rm -rf "$place"
  rmdir "$incoming" 2>/dev/null || true
}
trap end EXIT
mounted=$(podman image mount "$id")
install -d "$place/tree"
cp -R --no-dereference --attributes-only --preserve=mode,ownership,timestamps,links,xattr \
  "$mounted/." "$place/tree"
tar -C "$place/tree" --format=pax --numeric-owner --sort=name --xattrs '--xattrs-include=*' \
  --xattrs-exclude=security.selinux -cf "$place/tree.tar" .
(cd "$mounted" && find . -type f -print0 | xargs -0r sha256sum -z --) >"$place/sums"
tar -C "$place" -cf - tree.tar sums | zstd -q -3 -c | base64 -w 0
