"""While a stranger's network is built, no connection is made, and it does not grow beyond its weights."""

from __future__ import annotations

import socket

import pytest
import torch
from torch import nn

from tlx.backbones import growth
from tlx.backbones.offline import Outside, offline


def test_no_connection_is_made_while_a_bundle_is_read() -> None:
    with offline():
        for connect in (
            lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
            lambda: socket.getaddrinfo("localhost", 9),
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 9)),
        ):
            with pytest.raises(Outside):
                connect()
    socket.getaddrinfo("localhost", 9)


def test_growth_ends_with_the_block() -> None:
    with growth.bounded(1, 1000), pytest.raises(growth.TooLarge), torch.device("meta"):
        nn.Linear(1 << 20, 1 << 20)
    with growth.bounded(1, 1000), pytest.raises(growth.TooLarge):
        nn.Sequential(*(nn.Identity() for _ in range(5000)))
    nn.Sequential(*(nn.Identity() for _ in range(5000)))
