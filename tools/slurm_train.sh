#!/usr/bin/env bash
# Train on a Slurm cluster. GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS change the request.
set -euo pipefail
if [[ $# -lt 3 ]]; then
  echo "usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of train.py]" >&2
  exit 2
fi
partition=$1
job_name=$2
config=$3
gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-8}
exec srun -p "$partition" --job-name="$job_name" \
  --gres=gpu:"$gpus_per_node" --ntasks="$gpus" --ntasks-per-node="$gpus_per_node" \
  --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$config" --launcher slurm "${@:4}"
