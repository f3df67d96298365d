# One job a heating run, nothing else. What a run is stands in data/runs.yaml, what its job asks for
# in the profile; `zif4 runs` (make runs PROFILE=P) calls this with those that are not finished.
# No files: a run knows by itself whether it is finished, and snakemake removes the output of a job
# that failed, which is what the next one resumes from.
import sys

from helpers.book import jobs

PYTHON = sys.executable
SLURM = config["executor"] == "slurm"

for name, job in jobs.of(config["profile"], config["names"].split()).items():

    rule:
        name: name
        params:
            run=name,
            # on one machine a short trial finds them
            layout=f"--ranks {job.ranks} --threads {job.threads}" if SLURM else "",
        threads: 1 if SLURM else workflow.cores  # Slurm: cpus_per_task of the resources
        resources:
            **job.resources(),
        retries: job.submissions - 1 if SLURM else 0
        shell:
            # Slurm has started this step on the run's only node; mpirun is not to ask it for another.
            "HYDRA_LAUNCHER=fork {PYTHON:q} -m helpers.cli run {params.layout} -- {params.run:q}"
