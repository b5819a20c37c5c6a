#!/bin/sh
# Trims a tree of extracted packages ($1) to what the sample needs; an extract hook of mmdebstrap.
set -eu
tree=$1

# Data that nothing in the image reads.
rm -rf "$tree/usr/share/zoneinfo" "$tree/usr/share/debconf" "$tree/usr/share/perl5" \
  "$tree/usr/share/pixmaps" "$tree/usr/share/bash-completion" "$tree/usr/share/lintian" \
  "$tree/usr/share/locale" "$tree/usr/share/bug" "$tree/usr/share/info" "$tree/usr/lib/binfmt.d" \
  "$tree/usr/share/binfmts"
rm -f "$tree"/usr/bin/debconf* "$tree/usr/bin/c_rehash" "$tree"/usr/sbin/dpkg-*

# Libraries and modules that a web service does not load.
for libraries in "$tree"/usr/lib/*-linux-gnu; do
  rm -rf "$libraries"/gconv "$libraries"/libdb-5.3.so "$libraries"/libmvec.so.1 \
    "$libraries"/ossl-modules "$libraries"/engines-3 "$libraries"/perl-base
done
python=$tree/usr/lib/python3.13
rm -rf "$python"/pydoc_data "$python"/turtledemo "$python"/ensurepip "$python"/idlelib \
  "$python"/_pyrepl "$python"/tkinter "$python"/lib2to3
rm -f "$python"/turtle.py "$python"/lib-dynload/_test*.so "$python"/lib-dynload/_codecs_*.so \
  "$python"/lib-dynload/_dbm*.so

# The package base-files would bring these.
for name in bin sbin lib lib64; do
  mkdir -p "$tree/usr/$name"
  [ -e "$tree/$name" ] || ln -s "usr/$name" "$tree/$name"
done
ln -sf python3.13 "$tree/usr/bin/python3"
printf 'root:x:0:0:root:/root:/usr/sbin/nologin\n' >"$tree/etc/passwd"
printf 'root:x:0:\n' >"$tree/etc/group"
printf 'hosts: files dns\n' >"$tree/etc/nsswitch.conf"

# Bytecode that never looks at the time of its source: the image is read-only.
chroot "$tree" /usr/bin/python3 -I -B -m compileall -q --invalidation-mode unchecked-hash \
  /usr/lib/python3.13
ldconfig -r "$tree"
