#!/bin/sh
# Reduces a tree of extracted packages ($1) to the paths that follow, and the libraries that programs
# below them need; an extract hook of mmdebstrap.
set -eu
tree=$1
shift
cd "$tree"
rm -rf .kept
mkdir .kept

for name in bin sbin lib lib64; do
  mkdir -p "usr/$name"
  [ -e "$name" ] || ln -s "usr/$name" "$name"
done

# The package's script would make this file.
if [ -d usr/share/ca-certificates/mozilla ]; then
  mkdir -p etc/ssl/certs
  cat usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
fi

# Keeps a path, and the file that it is a link to.
keep() {
  cp -a --parents "$1" .kept
  [ ! -h "$1" ] || cp -a --parents "$(realpath --relative-to=. "$1")" .kept
}
for path in "$@"; do
  keep "$path"
done

loader=$(echo usr/lib*/ld-linux*.so.*)
keep "$loader"
find .kept -type f \( -perm -100 -o -name '*.so*' \) | while read -r file; do
  chroot . "/$loader" --list "/$file" 2>/dev/null || true
done | sed -n 's,.*=> /\([^ ]*\) .*,\1,p' | sort -u | while read -r library; do
  keep "$(realpath --relative-to=. "${library%/*}")/${library##*/}"
done

# mmdebstrap itself needs apt's and dpkg's files; they do not reach the image.
find usr etc -mindepth 1 -maxdepth 1 ! -path etc/apt ! -path etc/dpkg -exec rm -rf {} +
cp -a .kept/. .
rm -rf .kept
printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nwww:x:10001:10001:www:/:/usr/sbin/nologin\n' \
  >etc/passwd
printf 'root:x:0:\nwww:x:10001:\n' >etc/group
printf 'hosts: files dns\n' >etc/nsswitch.conf
