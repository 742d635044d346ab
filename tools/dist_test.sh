#!/usr/bin/env bash
# Test in several processes; on several nodes see dist_launch.sh.
set -euo pipefail
if ! [[ $# -ge 3 && $3 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: tools/dist_test.sh CONFIG CHECKPOINT NUM_PROCESSES [options of test.py]" >&2
  exit 2
fi
tools=$(dirname "$0")
exec bash "$tools/dist_launch.sh" "$3" "$tools/test.py" "$1" "$2" --launcher pytorch "${@:4}"
