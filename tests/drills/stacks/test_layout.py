"""Ports, secrets and the file that remembers them; who may enter the folder."""

import socket
import stat
from pathlib import Path

import msgspec
import pytest

from drills.stacks.errors import StackError
from drills.stacks.layout import LOOPBACK, Layout, choose_ports, new_secrets, write_private
from drills.stacks.processes.layout import Ports, StackFile, read_stack_file
from drills.stacks.processes.postgres import closed_folder


def test_ports_are_different_and_free():
    ports = msgspec.structs.astuple(choose_ports(Ports))
    assert len(set(ports)) == len(ports)
    for port in ports:
        with socket.socket() as listener:
            listener.bind((LOOPBACK, port))


def test_a_port_in_use_is_not_chosen(monkeypatch):
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        span = range(port, port + 60)
        monkeypatch.setattr("drills.stacks.layout._PORTS", span)
        assert port not in msgspec.structs.astuple(choose_ports(Ports))


def test_too_few_ports_is_an_error(monkeypatch):
    monkeypatch.setattr("drills.stacks.layout._PORTS", range(20000, 20003))
    with pytest.raises(StackError, match="free ports"):
        choose_ports(Ports)


def test_secrets_are_new_each_time_and_not_shown():
    one, other = new_secrets(), new_secrets()
    assert not set(msgspec.structs.astuple(one)) & set(msgspec.structs.astuple(other))
    assert one.api_token not in repr(one)


def test_the_stack_file_comes_back_and_is_private(tmp_path):
    layout = Layout(tmp_path)
    remembered = StackFile(ports=choose_ports(Ports), secrets=new_secrets(), latency_s=0.5, storage="minio")
    write_private(layout.stack_file, msgspec.json.encode(remembered))
    assert read_stack_file(layout) == remembered
    assert layout.stack_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "not a stack"), (b"{", "not what a stack writes"), (b'{"ports": 1}', "not what a stack writes")],
)
def test_what_is_no_stack_file_is_one_clear_error(tmp_path, content, says):
    layout = Layout(tmp_path)
    if content is not None:
        layout.stack_file.write_bytes(content)
    with pytest.raises(StackError, match=says):
        read_stack_file(layout)


def test_a_stack_of_another_format_is_refused(tmp_path):
    layout = Layout(tmp_path)
    later = StackFile(
        ports=choose_ports(Ports), secrets=new_secrets(), latency_s=None, storage="minio", format=99
    )
    write_private(layout.stack_file, msgspec.json.encode(later))
    with pytest.raises(StackError, match="format 99"):
        read_stack_file(layout)


def test_the_folder_that_keeps_the_account_of_the_database_out_is_named(tmp_path):
    (tmp_path / "closed" / "stack").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    found = closed_folder(tmp_path / "closed" / "stack" / "postgres")
    assert found in [tmp_path / "closed", *tmp_path.parents, tmp_path]
    assert not found.stat().st_mode & stat.S_IXOTH
    assert all(folder.stat().st_mode & stat.S_IXOTH for folder in found.parents), "the topmost"
    assert closed_folder(Path("/stack")) is None
