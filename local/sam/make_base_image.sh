#!/usr/bin/env bash
# Provide AWS's Lambda image of Python 3.13 to Docker, and print its name. Exit with 3 if that is impossible.
#
# If no registry of images can be reached, make a stand-in of the same name. It is a minimal Debian with its Python
# 3.13 and the runtime client that AWS publishes on PyPI, in the version of the laptop. It lacks all else of AWS's
# image. The script needs a Docker daemon, and for the stand-in also root, Debian and debootstrap.
set -euo pipefail

readonly image=public.ecr.aws/lambda/python:3.13-x86_64
readonly python=$(dirname "${BASH_SOURCE[0]}")/../../.venv/bin/python

fail() {
  echo "The image $image is not available: $*" >&2
  exit 3
}

if docker image inspect "$image" >/dev/null 2>&1; then
  echo "$image"
  exit 0
fi
echo "Pulling $image, once" >&2
if timeout 300 docker pull --quiet "$image" >/dev/null 2>&1; then
  echo "$image"
  exit 0
fi

echo "No registry can be reached: making a stand-in, which takes about a minute" >&2
[[ $(id -u) == 0 ]] || fail "no registry can be reached, and only root can make a stand-in"
command -v debootstrap >/dev/null || fail "no registry can be reached, and there is no debootstrap to make a stand-in"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian/*$') ||
  fail "no registry can be reached, and a stand-in is made from the packages of Debian"

root=$(mktemp -d)
log=$(mktemp)
# debootstrap mounts /proc below $root. If it is killed, that stays mounted.
trap 'rm -rf --one-file-system "$root" "$log"' EXIT
debootstrap --variant=minbase --include=python3.13,ca-certificates trixie "$root" "$mirror" >"$log" ||
  fail "debootstrap failed: $(tail -n 3 "$log")"

mkdir -p "$root/var/runtime" "$root/var/task" "$root/opt"
client=awslambdaric==$("$python" -c 'from importlib.metadata import version; print(version("awslambdaric"))')
"$python" -m pip install -qq --target "$root/var/runtime" --python-version 3.13 --implementation cp \
  --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 "$client" ||
  fail "pip has no $client for it"

# As on Lambda, the function's own folder comes before the layers (docs.aws.amazon.com, Lambda runtimes).
cat >"$root/var/runtime/bootstrap" <<'BOOT'
#!/bin/sh
export PYTHONPATH=/var/task:/opt/python:/var/runtime
cd /var/task
exec /usr/bin/python3.13 -m awslambdaric "$_HANDLER"
BOOT
chmod +x "$root/var/runtime/bootstrap"
tar -C "$root" -c . | docker import --message "a stand-in from Debian and PyPI" \
  -c 'ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin' \
  -c 'WORKDIR /var/task' - "$image" >/dev/null
echo "$image is a stand-in; \`docker image rm $image\` removes it" >&2
echo "$image"
