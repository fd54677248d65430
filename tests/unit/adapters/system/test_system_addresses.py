from __future__ import annotations

import ipaddress

from pai.adapters.system.addresses import own_names

V4 = """Main:
           |-- 127.0.0.1
              /32 host LOCAL
           |-- 192.0.2.2
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
           |-- 169.254.7.7
              /32 host LOCAL
Local:
           |-- 192.0.2.2
              /32 host LOCAL
"""
V6 = """fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_addresses_that_others_reach_and_no_other() -> None:
    assert own_names(v4=V4, v6=V6, host="Clinic-1.Example.org") == ("clinic-1.example.org", "192.0.2.2", "fd00::2")


def test_a_name_that_no_certificate_can_carry_is_left_out() -> None:
    for host in ("localhost", "my_box", "", "-a", "a..b"):
        assert own_names(v4="", v6="", host=host) == ()


def test_this_machine_has_names_that_parse() -> None:
    for name in own_names()[1:]:
        assert not ipaddress.ip_address(name).is_loopback
