"""environment.yml (conda, Binder) installs what pyproject.toml does."""

import tomllib

import yaml
from conftest import REPOSITORY
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name


def pip_of_conda():
    *conda, pip = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    return conda, pip["pip"]


def project():
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def parsed(lines):
    found = {}
    for line in lines:
        requirement = Requirement(line)
        found[canonicalize_name(requirement.name)] = (requirement.extras, requirement.specifier)
    return found


def test_the_same_packages_in_the_same_ranges():
    _, pip = pip_of_conda()
    assert pip[-1] == "-e ."
    ours, theirs = parsed(pip[:-1]), parsed(project()["dependencies"])
    assert ours == theirs
    assert len(ours) == len(pip) - 1  # none twice


def test_the_same_python():
    conda, _ = pip_of_conda()
    (python,) = [entry for entry in conda if entry.startswith("python=")]
    version = python.removeprefix("python=")
    assert f"{version}.9" in SpecifierSet(project()["requires-python"])


def test_what_is_installed_here_satisfies_it():
    from importlib.metadata import version

    _, pip = pip_of_conda()
    for name, (_, specifier) in parsed(pip[:-1]).items():
        assert version(name) in specifier, name
