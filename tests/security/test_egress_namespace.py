"""Nothing leaves: the main job in a network namespace that counts every packet, with a positive control."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

SETUP = """
ip link set lo up
ip link add veth0 type veth peer name veth1
sysctl -qw net.ipv6.conf.veth0.accept_ra=0 net.ipv6.conf.veth0.router_solicitations=0 2>/dev/null || true
ip addr add 10.99.0.2/24 dev veth0
ip link set veth0 up
ip link set veth1 up
ip route add default via 10.99.0.1
nft -f - <<'RULES'
table inet count {
  counter egress { }
  counter dns { }
  chain out {
    type filter hook output priority 0;
    oifname "lo" accept
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, mld2-listener-report } accept
    udp dport 53 counter name dns
    tcp dport 53 counter name dns
    counter name egress
  }
}
RULES
"""

CONTROL = """
import socket
tcp = socket.socket(); tcp.settimeout(1)
try: tcp.connect(("192.0.2.1", 80))
except OSError: pass
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.sendto(b"x" * 20, ("192.0.2.53", 53))
"""


def _in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    return subprocess.run(
        [*unshare, "bash", "-euc", SETUP + script],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )


def _counters(text: str) -> dict[str, int]:
    entries = json.loads(text.strip().splitlines()[-1])["nftables"]
    return {e["counter"]["name"]: int(e["counter"]["packets"]) for e in entries if "counter" in e}


@pytest.fixture(scope="module", autouse=True)
def _measurable() -> None:
    tools = [
        tool
        for tool in ("unshare", "nft", "ip")
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    ]
    assert not tools, f"install {tools}: without them nothing is measured (`make test` installs them)"


def test_the_counter_sees_an_attempt() -> None:
    done = _in_namespace(f"{sys.executable} -c '{CONTROL}'\nnft -j list counters")
    assert done.returncode == 0, done.stderr
    counters = _counters(done.stdout)
    assert counters["egress"] >= 1
    assert counters["dns"] >= 1


def test_the_main_job_sends_nothing(tmp_path: Path) -> None:
    job = Path(__file__).with_name("main_job.py")
    done = _in_namespace(f"{sys.executable} {job} {tmp_path}\nnft -j list counters")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"job": "done"' in done.stdout
    assert _counters(done.stdout) == {"egress": 0, "dns": 0}
