#!/usr/bin/env bash
# Sees to it that Docker has AWS's Lambda image of Python 3.13. Where no registry of images can be reached it makes a
# stand-in of the same name: a minimal Debian with its Python 3.13, and the runtime client that AWS publishes on PyPI,
# of the version that the laptop runs. So it has none of what AWS's image brings besides. Prints the image's name.
# Needs a Docker daemon; for the stand-in also root, Debian and debootstrap. Exits 3 when the image cannot be had.
set -euo pipefail

readonly image=public.ecr.aws/lambda/python:3.13-x86_64
readonly python=$(dirname "${BASH_SOURCE[0]}")/../../.venv/bin/python

cannot() {
  echo "The image $image cannot be had here: $*" >&2
  exit 3
}

if docker image inspect "$image" >/dev/null 2>&1; then
  echo "$image"
  exit 0
fi
echo "Getting $image, once" >&2
if timeout 300 docker pull --quiet "$image" >/dev/null 2>&1; then
  echo "$image"
  exit 0
fi

echo "No registry has it for us: making a stand-in, which takes about a minute" >&2
[[ $(id -u) == 0 ]] || cannot "no registry can be reached, and only root can make a stand-in"
command -v debootstrap >/dev/null || cannot "no registry can be reached, and there is no debootstrap to make a stand-in"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian/*$') ||
  cannot "no registry can be reached, and a stand-in is made from the packages of Debian"

root=$(mktemp -d)
log=$(mktemp)
# debootstrap mounts /proc below, and may be killed.
trap 'rm -rf --one-file-system "$root" "$log"' EXIT
debootstrap --variant=minbase --include=python3.13,ca-certificates trixie "$root" "$mirror" >"$log" ||
  cannot "debootstrap failed: $(tail -n 3 "$log")"

mkdir -p "$root/var/runtime" "$root/var/task" "$root/opt"
client=awslambdaric==$("$python" -c 'from importlib.metadata import version; print(version("awslambdaric"))')
"$python" -m pip install -qq --target "$root/var/runtime" --python-version 3.13 --implementation cp \
  --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 "$client" ||
  cannot "pip has no $client for it"

# What Lambda's does: the function's own folder first, the layers next (docs.aws.amazon.com, Lambda runtimes).
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
echo "$image is a stand-in now; \`docker image rm $image\` removes it" >&2
echo "$image"
