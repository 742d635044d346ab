#!/usr/bin/env bash
# Train in several processes; on several nodes see dist_launch.sh.
set -euo pipefail
if ! [[ $# -ge 2 && $2 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: tools/dist_train.sh CONFIG NUM_PROCESSES [options of train.py]" >&2
  exit 2
fi
tools=$(dirname "$0")
exec bash "$tools/dist_launch.sh" "$2" "$tools/train.py" "$1" --launcher pytorch "${@:3}"
