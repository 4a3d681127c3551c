"""Types of links with some of their words, drawn at random for tests of properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LINK_TYPES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("bridge")},
        optional={"stp": st.sampled_from(["on", "off", "auto"]), "priority": st.sampled_from([1, 2])},
    ),
    st.fixed_dictionaries({"type": st.just("macvlan")}, optional={"mode": st.sampled_from(["private", "vepa"])}),
    st.fixed_dictionaries({"type": st.just("vlan"), "id": st.sampled_from([1, 2])}),
    st.fixed_dictionaries({"type": st.just("alias")}),
    st.fixed_dictionaries({"type": st.just("port")}),
    st.fixed_dictionaries({"type": st.just("vnic")}),
)
