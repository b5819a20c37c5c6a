# load-image APP ID FORM REF: take an image from stdin, in a form of skopeo's that is compressed by zstd, and
# name it localhost/APP:sent when it is the one of that id. Names that the archive has stay out.
# shellcheck shell=bash
app=$1 id=${2#sha256:} form=$3 ref=$4
place=/var/lib/corefab/images/$id
file=/dev/stdin
install -d -m 0755 /run/corefab
exec 7>"/run/corefab/image-$id.lock"
flock 7
if [ "$form" = oci-archive ]; then
  # This one skopeo reads from a file alone.
  (umask 077 && mkdir -p "$place")
  file=$place/whole
  zstd -dcq >"$file"
fi
skopeo copy -q "$form:$file${ref:+:$ref}" "containers-storage:localhost/$app:sent@$id"
rm -rf "$place"
