#!/usr/bin/env bash
# Run a command with a Docker daemon and the image that `sam local invoke` needs, which the command finds in LAMBDA_IMAGE.
#
# If no daemon answers, start one as root for the duration of the command. Exit as the command does, or with 3 if the
# daemon or the image is not available.
set -euo pipefail

fail() {
  echo "Docker is not available: $*" >&2
  exit 3
}

answers() {
  timeout 20 docker info >/dev/null 2>&1
}

stop() {
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" || true
  rm -f "$log"
}

command -v docker >/dev/null || fail "it is not installed (on Debian: apt-get install docker.io)"
if ! answers; then
  command -v dockerd >/dev/null || fail "no daemon answers, and there is none to start"
  [[ $(id -u) == 0 ]] || fail "no daemon answers, and only root can start one"
  log=$(mktemp)
  # Its firewall rules are not needed and would outlive it. Its own session protects it from Ctrl-C, so that the
  # command can still remove its containers.
  setsid dockerd --iptables=false --ip6tables=false >"$log" 2>&1 &
  daemon=$!
  trap stop EXIT
  for ((tries = 0; tries < 60; tries++)); do
    ! answers || break
    kill -0 "$daemon" 2>/dev/null || break
    sleep 1
  done
  answers || fail "the daemon did not start: $(tail -n 3 "$log")"
fi

LAMBDA_IMAGE=$("$(dirname "${BASH_SOURCE[0]}")/make_base_image.sh")
export LAMBDA_IMAGE
"$@"
