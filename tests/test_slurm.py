"""Heating runs through a real Slurm: submitted, killed at the wall time, resubmitted, resumed.

The cluster is one node on this machine, with its own configuration, keys and ports in a temporary
folder; nothing that is configured on the machine is read or changed.
"""

import ctypes
import getpass
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import REPOSITORY, with_tables

from helpers import provenance, settings
from helpers.md import resume, thermo, trajectory
from helpers.recipes import catalogue, runs

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
PATH = os.pathsep.join([os.environ["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"])

CONFIGURATION = """\
ClusterName=zif4test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
OverTimeLimit=0
KillWait=2
MinJobAge=3600
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# the same node whatever the machine has
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """A Slurm of one node in ``folder``; ``environment`` points Slurm's commands to it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = os.environ | {"PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}
        for name in [n for n in self.environment if n.startswith(("SLURM_", "SBATCH_", "SRUN_"))]:
            if name != "SLURM_CONF":  # of a cluster that this test itself may run on
                del self.environment[name]

    def __call__(self, *command: str) -> str:
        """What a Slurm command prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self, lines: int = 25) -> str:
        """The ends of all logs of the cluster."""
        return "\n".join(
            f"--- {file.name}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
            for file in sorted(
                [
                    *self.folder.glob("*.log"),
                    *self.folder.glob("project/.snakemake/slurm_logs/**/*.log"),
                ]
            )
        )

    def wait(self, what: str, condition, seconds: float, alive: subprocess.Popen | None = None):
        """The first true value of ``condition()``; fails with the logs after ``seconds``."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if alive is not None and alive.poll() is not None:
                pytest.fail(f"{what}: ended with code {alive.returncode}\n{self.logs()}")
            if time.monotonic() > end:
                pytest.fail(f"{what}: not within {seconds:.0f} s\n{self.logs()}")
            time.sleep(0.3)  # each look may be a command of Slurm
        return value

    def start(self, *command: str) -> subprocess.Popen:
        """A daemon that ends with this process, however that ends."""
        with open(self.folder / f"{command[0]}-output.log", "wb") as log:
            return subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),
            )  # PR_SET_PDEATHSIG

    def jobs(self) -> list[tuple[int, str]]:
        """(number, rule) of all jobs that there were."""
        rows = self("squeue", "--states=all", "--noheader", "--format=%i %k").splitlines()
        return [(int(row.split()[0]), row.split()[1]) for row in rows]

    def states(self) -> dict[int, str]:
        """Job number -> state, of all jobs that there were."""
        rows = self("squeue", "--states=all", "--noheader", "--format=%i %T").splitlines()
        return {int(number): state for number, state in (row.split() for row in rows)}


@contextmanager
def slurm(folder: Path):
    """Start munge, the controller and the node; stop them, and their jobs, whatever happens."""
    cluster = Cluster(folder)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o400)
    with socket.socket() as a, socket.socket() as b:
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        ports = a.getsockname()[1], b.getsockname()[1]
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            controller_port=ports[0],
            node_port=ports[1],
        )
    )
    daemons = []
    try:
        daemons.append(
            cluster.start(
                "munged",
                "--foreground",
                *(
                    f"--{what}={folder}/munge.{what.split('-')[0]}"
                    for what in ("key-file", "socket", "pid-file", "seed-file", "log-file")
                ),
            )
        )
        cluster.wait("munge", (folder / "munge.socket").exists, 60, daemons[-1])
        daemons += [cluster.start("slurmctld", "-D"), cluster.start("slurmd", "-D")]
        cluster.wait(
            "the node",
            lambda: (
                "idle"
                in subprocess.run(
                    ["sinfo", "--noheader", "--format=%T"],
                    env=cluster.environment,
                    capture_output=True,
                    text=True,
                    timeout=120,
                ).stdout
            ),
            180,
            daemons[-1],
        )
        yield cluster
        assert [d.poll() for d in daemons] == [None] * 3, cluster.logs()
    finally:
        if len(daemons) == 3:
            subprocess.run(
                ["scancel", "--full", "--signal=KILL", "--user", getpass.getuser()],
                env=cluster.environment,
                capture_output=True,
                timeout=60,
            )
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


@pytest.fixture(scope="module")
def cluster():
    missing = [program for program in PROGRAMS if not shutil.which(program, path=PATH)]
    if missing:
        pytest.skip(
            f"Slurm is not installed ({', '.join(missing)}: no such program); "
            "apt-get install slurm-wlm munge"
        )
    if re.search(r"\s", sys.executable):
        pytest.skip("a job of Slurm ends at the space in Python's path, as `zif4 runs` says")
    folder = Path(tempfile.mkdtemp(prefix="zif4-slurm-"))  # a socket's path has to be short
    folder.chmod(0o755)
    try:
        with slurm(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- the runs -------------------------------------------------------------------------------

RUNS = """\
defaults: {structure: Znim2-ABW, potential: atp, temperature_start_K: 300, timestep_fs: 2.0,
           hydrogen_mass_u: 3.024}
groups:
  tiny:
    fields: {thermo_every_ps: 0.02, frame_every_ps: 0.04}
    runs:
      long: {temperature_end_K: 360, heating_rate_K_per_ps: 12, equilibration_ps: 0.8}
      short-2.ranks: {temperature_end_K: 320, heating_rate_K_per_ps: 200, equilibration_ps: 0.1}
"""
PROFILE = """\
runs:
  tiny: {ranks: 1, threads: 1, memory_GB: 3, wall_time_h: 0.5, submissions: 4}
  short-2.ranks: {ranks: 2, wall_time_h: 0.4}
"""
# What the user of a cluster sets once: this one has no accounting, and its jobs are short.
SNAKEMAKE = """\
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 5
slurm-keep-successful-logs: true
"""
RESTART = 500  # steps between two restart files: a picosecond


@pytest.fixture(scope="module")
def project(cluster):
    """A project with these runs, on the shipped structures and potentials."""
    root = cluster.folder / "project"
    (root / "data" / "profiles").mkdir(parents=True)
    (root / "snakemake").mkdir()
    for name in ("runs.smk", "data/structures", "data/potentials"):
        (root / name).symlink_to(REPOSITORY / name)
    with_tables(root / "build")
    (root / "data" / "runs.yaml").write_text(RUNS)
    (root / "data" / "profiles" / "tiny.yaml").write_text(PROFILE)
    (root / "snakemake" / "config.yaml").write_text(SNAKEMAKE)
    with settings.use(root=root):
        cluster.environment |= settings.environment()
        cluster.environment |= {"SNAKEMAKE_PROFILE": str(root / "snakemake")}
        yield root


@pytest.fixture(scope="module")
def history(cluster, project):
    """What happened to the runs: submitted, one stalls until its wall time is over, resubmitted."""
    long = catalogue.run_recipe("long")
    directory = provenance.directory("runs", long.name, long.recipe())
    seen = {}
    with open(cluster.folder / "snakemake.log", "wb") as log:
        submitting = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "helpers.cli",
                "runs",
                "--profile",
                "tiny",
                "--executor",
                "slurm",
            ],
            cwd=project,
            env=cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        cluster.wait(
            "the run beyond its first restart file",
            lambda: (
                (
                    (rows := table(directory))
                    and rows[-1] >= RESTART + 50
                    and resume.restarts(directory)
                )
                or runs.find("long")
            ),
            1800,
            submitting,
        )
        assert not runs.find("long"), "the run was over before it could be held up"
        # The node stalls: on any machine the wall time is over before the run is.
        os.kill(int((directory / ".lammps").read_text()), signal.SIGSTOP)
        seen["rows"], seen["finished"] = table(directory), runs.find("long")
        (seen["first"],) = (number for number, name in cluster.jobs() if name == "rule_long")
        seen["asked"] = cluster("scontrol", "show", "job", str(seen["first"]))
        # Slurm counts in minutes: the least that it knows
        cluster("scontrol", "update", f"JobId={seen['first']}", "TimeLimit=1")
        cluster.wait(
            "the end of the wall time",
            lambda: cluster.states()[seen["first"]] == "TIMEOUT",
            300,
            submitting,
        )
        cluster.wait("all runs", lambda: submitting.poll() is not None, 1800)
    finally:
        submitting.terminate()
        try:
            submitting.wait(60)
        except subprocess.TimeoutExpired:
            submitting.kill()
            submitting.wait()
    seen["code"] = submitting.returncode
    seen["said"] = (cluster.folder / "snakemake.log").read_text()
    return seen


def table(directory):
    """Steps of the whole rows of a run that goes on."""
    file = directory / thermo.FILE
    rows = file.read_text().splitlines(keepends=True)[1:] if file.exists() else []
    return [int(row.split(",")[0]) for row in rows if row[0].isdigit() and row.endswith("\n")]


def test_a_run_that_hits_its_wall_time_is_submitted_again(cluster, history):
    assert history["code"] == 0, f"{history['said']}\n{cluster.logs()}"
    assert history["finished"] is None  # it was killed, not done
    states = cluster.states()
    assert states.pop(history["first"]) == "TIMEOUT"
    assert sorted(states.values()) == ["COMPLETED", "COMPLETED"]
    assert sorted(name for _, name in cluster.jobs()) == [
        "rule_long",
        "rule_long",
        "rule_short-2.ranks",
    ]


def test_a_job_asks_for_what_the_profile_says(history):
    for asked in ("TimeLimit=00:30:00", "NumCPUs=1 ", "MinMemoryNode=3000M"):
        assert asked in history["asked"]


@pytest.mark.parametrize("name, sessions", [("long", 2), ("short-2.ranks", 1)])
def test_every_sample_is_there_once(history, name, sessions):
    run, directory = catalogue.run_recipe(name), runs.find(name)
    record, total = provenance.read(directory), run.total_steps
    assert record["sessions"] == sessions and not record["exploded"]
    assert thermo.read(directory)["step"].tolist() == list(range(10, total + 1, 10))
    assert trajectory.read(directory).steps.tolist() == list(range(20, total + 1, 20))


def test_it_went_on_from_its_restart_file(cluster, project, history):
    total = catalogue.run_recipe("long").total_steps
    assert RESTART < history["rows"][-1] < total
    last = max(number for number, name in cluster.jobs() if name == "rule_long")
    logs = project / ".snakemake" / "slurm_logs" / "rule_long"
    assert "[made]" in (logs / f"{history['first']}.log").read_text()
    (step,) = re.findall(
        rf"\[resumed\] .*: step (\d+) of {total}", (logs / f"{last}.log").read_text()
    )
    assert int(step) in range(RESTART, history["rows"][-1] + 1, RESTART)


def test_two_ranks_start_inside_a_step(history):
    assert provenance.read(runs.find("short-2.ranks"))["ranks"] == 2


def test_finished_runs_are_not_submitted_again(cluster, project, history):
    before = cluster.states()
    done = subprocess.run(
        [sys.executable, "-m", "helpers.cli", "runs", "--profile", "tiny", "--executor", "slurm"],
        cwd=project,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and done.stdout.count("[reused]") == 2, done.stderr
    assert cluster.states() == before
