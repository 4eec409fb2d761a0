"""Dockerfile, compose.yaml and the workflow, as far as they can be read without Docker."""

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest

from fastmlp.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    (words[0], words[1])
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if len(words := line.split(" ", 1)) == 2
]


def given(instruction):
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_what_is_copied_is_there_and_not_ignored():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert "*" in lines
    for words in map(shlex.split, given("COPY")):
        if not words[0].startswith("--from="):
            for name in words[:-1]:
                assert (ROOT / name).exists()
                assert any(fnmatch(name, each) for each in let_through)


def test_the_wheel_is_made_of_what_is_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    copied = {name for words in map(shlex.split, given("COPY")) for name in words}
    assert {"pyproject.toml", "fastmlp", project["readme"], *project["license-files"]} <= copied


def test_it_does_not_run_as_root():
    names = [name for name, _ in INSTRUCTIONS]
    (uid,) = given("USER")
    assert int(uid) > 0
    assert f"--uid {uid} " in next(rest for rest in given("RUN") if "useradd" in rest)
    (warmed,) = (place for place, (name, rest) in enumerate(INSTRUCTIONS) if name == "RUN" and "fastmlp warmup" in rest)
    assert names.index("USER") < names.index("ENV") < warmed, "kernels are compiled by and for the user who runs them"


def test_one_python_throughout():
    assert len(set(re.findall(r"python:?(3\.\d+)", DOCKERFILE))) == 1


def test_its_commands_take_what_they_are_given():
    assert json.loads(given("ENTRYPOINT")[0]) == ["fastmlp"]
    lines = [json.loads(given("CMD")[0])]
    lines += [shlex.split(rest) for rest in re.findall(r"fastmlp (\w+(?: [-\w]+)*) &&", given("RUN")[-1])]
    assert ["warmup"] in lines
    for name, *rest in lines:
        if name == "demo" and name not in COMMANDS:
            pytest.skip("there is no demo yet")
        group = main.make_context("fastmlp", [name])
        context = main.get_command(group, name).make_context(name, rest, parent=group)
        assert isinstance(context, click.Context)


def test_the_volume_is_a_folder_that_the_user_has_made():
    """Docker would make one of its own for root."""
    (folder,) = re.findall(r"data:/home/fastmlp/([\w./]+)", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert f"mkdir {folder}" in given("RUN")[-1]
    assert given("WORKDIR")[-1] == "/home/fastmlp"


def test_the_port_is_the_same_everywhere():
    (port,) = given("EXPOSE")
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert f'["127.0.0.1:{port}:{port}"]' in compose
    assert json.loads(given("CMD")[0])[-1] == port
    assert f"http://127.0.0.1:{port}/" in DOCKERFILE


def test_the_workflow_names_what_is_there():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert all((ROOT / name).exists() for name in re.findall(r"(?:tests/|\.ci/)[\w.]+", workflow))
    image = re.search(r"image: ([\w-]+)", (ROOT / "compose.yaml").read_text(encoding="utf-8"))[1]
    assert f"'{{{{.Size}}}}' {image})" in workflow
