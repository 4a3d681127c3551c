"""What is said of the datapath where not even the question can be asked."""

from __future__ import annotations

import errno

import pytest

from l2tpv3.datapath.ebpf import probe
from l2tpv3.errors import L2tpError
from tests.traced import Call, Fail, traced


@pytest.mark.root
@pytest.mark.parametrize(("name", "number"), [("bind", errno.EADDRNOTAVAIL), ("socket", errno.EMFILE)])
def test_a_passing_fault_is_an_error_and_no_answer(name: str, number: int) -> None:
    """An answer is remembered, and would have another datapath chosen for good."""

    def on_call(call: Call) -> Fail | None:
        return Fail(number) if call.name == name else None

    ended = traced(probe.run_all, on_call)
    assert isinstance(ended.error, L2tpError), ended.trace
    assert str(ended.error).startswith("ebpf datapath: can't see whether it works here")
