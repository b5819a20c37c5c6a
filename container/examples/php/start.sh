#!/bin/sh
# Runs PHP-FPM and Caddy; podman ends both with the container.
set -eu
php-fpm8.4 --nodaemonize --force-stderr --fpm-config /etc/fpm.conf &
exec caddy run --config /etc/Caddyfile --adapter caddyfile
