#!/bin/bash
# A build on a Slurm allocation: Ray's head on the first node, a worker on each other one, the build beside the head.
#   sbatch --nodes=4 slurm.sh PIPELINE PROFILE OUT
# All nodes see PROFILE, its environments and models, and OUT under the same paths. Killed, preempted or out of time:
# the job is put into the queue again, and the build goes on where it was.
#SBATCH --job-name=ieat
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=64
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@300
set -euo pipefail

pipeline=${1:?PIPELINE PROFILE OUT}
profile=${2:?PIPELINE PROFILE OUT}
out=${3:?PIPELINE PROFILE OUT}
bin=${IEAT_BIN:-/envs/ieat/bin} # the environment with the builder: ieat, ray, python

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
read -r head_ip _ < <(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname -I)
port=$((20000 + SLURM_JOB_ID % 10000)) # another one for each job
export RAY_ADDRESS=$head_ip:$port
# said outright: Ray's head takes a token of ~/.ray by itself, its workers do not. A token of the job's own
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0

start() { # NODE and Ray's own arguments
    local node=$1
    shift
    srun --nodes=1 --ntasks=1 --nodelist="$node" "$bin/ray" start "$@" --block --disable-usage-stats \
        --num-cpus="${SLURM_CPUS_PER_TASK:-1}" --object-store-memory="${OBJECT_STORE_BYTES:-4000000000}" &
}

stop() { # ends Ray on all nodes
    local steps
    steps=$(jobs -p)
    # shellcheck disable=SC2086
    [ -z "$steps" ] || kill $steps 2> /dev/null || true
    wait
}
trap stop EXIT

start "${nodes[0]}" --head --node-ip-address="$head_ip" --port="$port" --include-dashboard=false
for node in "${nodes[@]:1}"; do
    start "$node" --address="$RAY_ADDRESS"
done

"$bin/python" - "${#nodes[@]}" << 'PYTHON'
import sys, time
import ray

wanted, deadline = int(sys.argv[1]), time.monotonic() + 300
while True:
    try:
        ray.init(address="auto", logging_level="ERROR", log_to_driver=False)
        break
    except ConnectionError:
        if time.monotonic() > deadline:
            sys.exit("Ray's head did not start within 5 minutes")
        time.sleep(1)
while (there := sum(n["Alive"] for n in ray.nodes())) < wanted:
    if time.monotonic() > deadline:
        sys.exit(f"only {there} of {wanted} nodes joined Ray within 5 minutes")
    time.sleep(1)
print(f"{there} nodes, {ray.cluster_resources().get('GPU', 0):g} GPUs", flush=True)
PYTHON

trap 'scontrol requeue "$SLURM_JOB_ID"' USR1
{
    # before the first start alone: it loads every model
    [ -e "$out/.work/build.json" ] ||
        "$bin/ieat" doctor --profile "$profile" --out "$out" --set profile.ray.address=auto
    exec "$bin/ieat" build "$pipeline" --profile "$profile" --out "$out" --set profile.ray.address=auto
} &
wait $! # in the background, so that a signal is heard at once
