"""LAMMPS' input for a heating run (metal units: eV, A, ps, K, bar)."""

from __future__ import annotations

from helpers import units
from helpers.md import protocol, thermo, trajectory
from helpers.structures import TYPE_MAP

CLOSEST_A = protocol.CLOSEST_A
END = "end.data"  # positions, velocities and cell that a run ended with
_MINIMISATIONS = 3  # one after another: the cell of each is the reference of its strain


def script(
    heating: protocol.HeatingRun,
    first: int = 0,
    restart_every_ps: float = 1.0,
    forces: list[str] | None = None,
    skin_A: float = 1.0,
) -> str:
    """The LAMMPS input of a run, from a given step on.

    Parameters
    ----------
    heating : HeatingRun
        The run.
    first : int
        Step of the restart file; 0 starts from ``start.data``.
    restart_every_ps : float
        Simulated time between restart files, ps.
    forces : list of str, optional
        Lines that give the forces; by default those of the run's force field.
    skin_A : float
        How much farther than the forces LAMMPS' lists of neighbours reach, A.

    Returns
    -------
    str
        The input, in metal units.
    """
    r = heating
    if forces is None:
        forces = r.force_field.lines(*links(r), every=r.steps(r.deviation_every_ps))
    p0_v = f"{r.pressure_bar!r}*vol/{units.EV_PER_A3_IN_BAR!r}"
    lines = [
        "units metal",
        f"atom_style {r.force_field.atom_style}",
        "boundary p p p",
        "box tilt large",
        f"read_restart restart.{first}" if first else "read_data start.data",
        *([] if first else _triclinic(r)),
        *forces,
        f"neighbor {skin_A!r} bin",
        "neigh_modify every 5 delay 0 check yes",
        f"timestep {r.timestep_fs / 1000!r}",
    ]
    if not first:
        lines += _relaxation(r)
    if not first and not r.after:
        # Half of the kinetic energy of a start at rest goes into the potential energy.
        lines.append(
            f"velocity all create {2 * r.temperature_start_K!r} {r.seed} "
            f"mom yes rot no dist gaussian"
        )
    density = "$(density:%.7f)"
    if r.hydrogen_mass_u != protocol.HYDROGEN_U:
        # Whatever mass hydrogen moves with, the density is that of the ordinary substance.
        excess = r.hydrogen_mass_u - protocol.HYDROGEN_U
        lines += [
            f"group hydrogen type {TYPE_MAP.index('H') + 1}",
            f"variable ordinary equal density*(1-count(hydrogen)*{excess!r}/mass(all))",
        ]
        density = "$(v_ordinary:%.7f)"
    lines += [
        "fix drift all momentum 200 linear 1 1 1 rescale",
        f"compute near all coord/atom cutoff {CLOSEST_A}",
        "variable near atom c_near>0",
        "compute close all reduce sum v_near",
        # stride() never names the current step: no sample is written twice where parts meet
        f"variable row equal stride(0,1000000000,{r.steps(r.thermo_every_ps)})",
        f"variable frame equal stride(0,1000000000,{r.steps(r.frame_every_ps)})",
        f"variable enthalpy equal etotal+{p0_v}",
        "variable segment equal 0",
        "variable target equal 0",
        'fix table all print v_row "'
        + ",".join(
            (
                "$(step:%.0f)",
                f"$(step*{r.timestep_fs / 1000!r}:%.4f)",
                "$(v_segment:%.0f)",
                "$(v_target:%.3f)",
                "$(temp:%.4f)",
                "$(press:%.3f)",
                "$(vol:%.4f)",
                density,
                "$(pe:%.6f)",
                "$(ke:%.6f)",
                "$(v_enthalpy:%.6f)",
                "$(cella:%.5f)",
                "$(cellb:%.5f)",
                "$(cellc:%.5f)",
                "$(cellalpha:%.5f)",
                "$(cellbeta:%.5f)",
                "$(cellgamma:%.5f)",
                "$(c_close:%.0f)",
            )
        )
        + f'" append {thermo.FILE} screen no title "#"',
        f"dump frames all custom 1 {trajectory.FILE} id type element xu yu zu",
        f"dump_modify frames every v_frame sort id append yes element {' '.join(TYPE_MAP)} "
        "format float %.4f",
        f"restart {max(r.steps(restart_every_ps), 1)} restart.*",
        "thermo_style custom step temp press vol density pe etotal",
        f"thermo {r.steps(r.thermo_every_ps) * 10}",
    ]
    for i, segment in enumerate(r.segments(), start=int(not r.steps(r.equilibration_ps))):
        if segment.last <= first:
            continue
        a, b, t0, t1 = segment.first, segment.last, segment.start_K, segment.end_K
        lines += [
            f"variable segment equal {i}",
            f"variable target equal {t0!r}+({t1 - t0!r})*(step-{a})/{b - a}",
            f"fix npt all nvt temp {t0!r} {t1!r} {r.thermostat_ps!r}"
            if r.coupling == "none"
            else f"fix npt all npt temp {t0!r} {t1!r} {r.thermostat_ps!r} "
            f"{r.coupling} {r.pressure_bar!r} {r.pressure_bar!r} {r.barostat_ps!r} "
            "flip no",  # the cell vectors stay those of the structure
            f"run {b} upto start {a} stop {b}",
        ]
    return "\n".join([*lines, "write_restart restart.*", f"write_data {END} nocoeff"]) + "\n"


def _triclinic(r: protocol.HeatingRun) -> list[str]:
    """Angles can only change in a cell that LAMMPS knows as one with angles."""
    return ["change_box all triclinic"] if "tri" in (r.coupling, r.relaxed) else []


def _relaxation(r: protocol.HeatingRun) -> list[str]:
    """Lines that bring atoms, and the cell as far as ``relaxed`` says, to the nearest minimum."""
    if not r.relaxed:
        return []
    lines = ["min_style cg", "min_modify dmax 0.05"]
    for _ in range(_MINIMISATIONS):
        if r.relaxed != "atoms":
            lines.append(f"fix cell all box/relax {r.relaxed} {r.pressure_bar!r} vmax 0.001")
        lines.append("minimize 1e-9 1e-3 1000 5000")
        if r.relaxed != "atoms":
            lines.append("unfix cell")
    return [*lines, "reset_timestep 0"]


def links(heating: protocol.HeatingRun) -> list[str]:
    """Names of the model files next to the input, so that input and log contain no absolute path.

    Parameters
    ----------
    heating : HeatingRun
        The run.

    Returns
    -------
    list of str
        The names.
    """
    others = [f"ensemble{i}.pb" for i in range(1, len(heating.ensemble) + 1)]
    return [heating.force_field.link, *others]
