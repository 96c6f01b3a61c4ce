#!/usr/bin/env bash
# Runs a command where a Docker daemon answers and has the image that `sam local invoke` needs, which is LAMBDA_IMAGE
# in the command's environment. When no daemon answers it starts one, as root, for as long as the command takes.
# Exits 3 when either cannot be had, else as the command does.
set -euo pipefail

cannot() {
  echo "Docker cannot be had here: $*" >&2
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

command -v docker >/dev/null || cannot "it is not installed (on Debian: apt-get install docker.io)"
if ! answers; then
  command -v dockerd >/dev/null || cannot "no daemon answers, and there is none to start"
  [[ $(id -u) == 0 ]] || cannot "no daemon answers, and only root can start one"
  log=$(mktemp)
  # Nothing here needs its firewall rules, which would outlive it. A session of its own, so that Ctrl-C is the
  # command's, and the daemon is there until the command has removed its containers.
  setsid dockerd --iptables=false --ip6tables=false >"$log" 2>&1 &
  daemon=$!
  trap stop EXIT
  for ((tries = 0; tries < 60; tries++)); do
    ! answers || break
    kill -0 "$daemon" 2>/dev/null || break
    sleep 1
  done
  answers || cannot "the daemon did not start: $(tail -n 3 "$log")"
fi

LAMBDA_IMAGE=$("$(dirname "${BASH_SOURCE[0]}")/make_base_image.sh")
export LAMBDA_IMAGE
"$@"
