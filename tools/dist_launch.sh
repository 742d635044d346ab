#!/usr/bin/env bash
# Start a tool in several processes: tools/dist_launch.sh NUM_PROCESSES TOOL [options of the tool]
# On several nodes set NNODES, NODE_RANK (0 for the first), MASTER_ADDR (of the first) and PORT on
# each of them. A single node takes a free port unless PORT names one.
set -euo pipefail
if ! [[ $# -ge 2 && $1 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: tools/dist_launch.sh NUM_PROCESSES TOOL [options of the tool]" >&2
  exit 2
fi
nodes=${NNODES:-1}
if [[ $nodes == 1 && -z ${PORT:-} ]]; then
  meeting=(--standalone --local-addr=127.0.0.1)
else
  if [[ $nodes != 1 && ( -z ${MASTER_ADDR:-} || -z ${NODE_RANK:-} ) ]]; then
    echo "NNODES=$nodes: also set NODE_RANK, from 0 to $((nodes - 1)) and different on each node," \
      "and MASTER_ADDR, the address of the node of rank 0" >&2
    exit 2
  fi
  rank=${NODE_RANK:-0} address=${MASTER_ADDR:-127.0.0.1} port=${PORT:-29500}
  if [[ $rank == 0 ]] && (: <"/dev/tcp/$address/$port") 2>/dev/null; then
    echo "$address:$port is in use: set PORT to a free port, the same on every node" >&2
    exit 1
  fi
  meeting=(--nnodes="$nodes" --node_rank="$rank" --master_addr="$address" --master_port="$port")
fi
# Each process gets its share of the cores: torchrun alone gives it one.
cores=$(nproc)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > $1 ? cores / $1 : 1))}
# exec: a signal to this script reaches torchrun, which ends the processes.
exec "${PYTHON:-python}" -m mmtbps.commands.torchrun "${meeting[@]}" --nproc_per_node="$1" "${@:2}"
