#!/usr/bin/env bash
# Train in several processes: tools/dist_train.sh CONFIG NUM_PROCESSES [options of train.py]
# On several nodes set NNODES, NODE_RANK, MASTER_ADDR, PORT on each of them.
set -euo pipefail
config=$1
processes=$2
exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  --nproc_per_node="$processes" \
  "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
