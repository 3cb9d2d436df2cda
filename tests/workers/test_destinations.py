import pytest

from pointaction.errors import InputError
from workers.destinations import Destinations, is_public

ALLOWED = Destinations("hooks.example, other.example:8443, [2606:2800::1]", http=False)
ALSO_HTTP = Destinations("hooks.example", http=True)


def test_a_url_is_taken_apart() -> None:
    found = ALLOWED.at("https://Hooks.Example/a/b?token=c%20d")
    assert (found.scheme, found.host, found.port) == ("https", "hooks.example", 443)
    assert found.target == "/a/b?token=c%20d"
    assert found.authority == "hooks.example"


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("https://hooks.example", "hooks.example", "/"),
        ("https://hooks.example:443?a", "hooks.example", "/?a"),
        ("https://other.example:8443/", "other.example:8443", "/"),
        ("https://[2606:2800::1]/x", "[2606:2800::1]", "/x"),
    ],
)
def test_hosts_of_the_list_are_called_at_their_ports(url: str, authority: str, target: str) -> None:
    found = ALLOWED.at(url)
    assert (found.authority, found.target) == (authority, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example/",
        "http://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https://elsewhere.example/",
        "https://a.hooks.example/",
        "https://hooks.example.evil.example/",
        "https://hooks.example./",
        "https://hooks.example:8443/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://other.example/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://hooks.example@127.0.0.1/",
        "https://user:secret@hooks.example/",
        "https://@hooks.example/",
        "https://hooks.example/#there",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX-Evil: 1",
        "https://hooks.example/ü",
        "https://hooks。example/",
        "https://[hooks.example/",
    ],
)
def test_nothing_else_is_called(url: str) -> None:
    with pytest.raises(InputError) as refused:
        ALLOWED.at(url)
    assert refused.value.kind == "callback-refused"
    assert "secret" not in str(refused.value)


def test_http_is_for_the_operator_to_permit() -> None:
    assert ALSO_HTTP.at("http://hooks.example/").port == 80
    assert ALSO_HTTP.at("https://hooks.example/").port == 443
    with pytest.raises(InputError, match="must begin with https"):
        ALLOWED.at("http://hooks.example/")


def test_a_port_of_another_scheme_is_an_odd_one() -> None:
    with pytest.raises(InputError, match="POINTACTION_WEBHOOK_HOSTS"):
        ALSO_HTTP.at("https://hooks.example:80/")


def test_no_hosts_are_nothing_to_call() -> None:
    assert not Destinations(" , ", http=True)
    assert ALLOWED


@pytest.mark.parametrize(
    "entry", ["https://hooks.example", "*.example", "a/b", "a:b", "u@a", "a b", "a..b", "[::x]"]
)
def test_entries_that_are_no_hosts_are_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="HOST|IPv6"):
        Destinations(entry, http=False)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_that_anyone_can_reach(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",  # behind a carrier's address translation
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",  # where clouds keep the secrets of their machines
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",  # benchmarks
        "203.0.113.1",  # documentation
        "224.0.1.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",  # 127.0.0.1 through NAT64
        "64:ff9b:1::1",
        "2001::1",  # Teredo
        "2002:7f00:1::1",  # 127.0.0.1 through 6to4
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_not_everyone_can_reach(address: str) -> None:
    assert not is_public(address)
