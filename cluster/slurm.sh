#!/usr/bin/env bash
# `make sweep` on a SLURM cluster: sbatch cluster/slurm.sh [textbook=general,contextualized ...]
# Submit it from the project's folder, which must be on shared storage, at the same path on all nodes.
#SBATCH --job-name=textbook
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-task=1
#SBATCH --time=12:00:00
#SBATCH --signal=TERM@120
set -euo pipefail

cd "$SLURM_SUBMIT_DIR"
source .venv/bin/activate
export RAY_DISABLE_USAGE_STATS=1
# All processes of this job's Ray share a token, and Ray refuses everyone else. Only this user can read the file.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$PWD/.cache/ray-token-$SLURM_JOB_ID"
mkdir -p .cache
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT
(umask 077 && python -c 'import secrets; print(secrets.token_hex(32), end="")' >"$RAY_AUTH_TOKEN_PATH")
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
address="$(getent hosts "${nodes[0]}" | awk '{ print $1; exit }'):6379"

srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" \
	ray start --head --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" --include-dashboard=false --block &
for node in "${nodes[@]:1}"; do
	srun --nodes=1 --ntasks=1 --nodelist="$node" \
		ray start --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
done
until ray status --address="$address" >/dev/null 2>&1; do sleep 2; done

RAY_ADDRESS="$address" make sweep SWEEP="$*"
