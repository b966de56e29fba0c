"""Every known way around such a guard; the canary on the own machine must hear of none."""

import pytest
from aiohttp import web

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.base import OutboundRefusedError
from tests.support.small_internet import SmallInternet
from tests.unit.toolkit.guard.conftest import MIRROR, SHOP, Fetch, redirect_to, say_hello

LITERALS = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1"),  # noqa: S104 - an address to refuse
    *("100.64.0.1", "169.254.169.254", "168.63.129.16", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "192.88.99.1", "192.0.0.8", "192.0.2.1", "198.18.0.1"),
    *("[::1]", "[::]", "[fd00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]"),
    *("[::7f00:1]", "[::127.0.0.1]", "[::ffff:0:7f00:1]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]"),
    *("[2002:7f00:1::]", "[2002:a00:1::1]", "[2001:0:7f00:1::80ff:fffe]"),
    *("[fe80::1%25lo]", "[fe80::1%lo]", "[::1%25lo]"),
]
# How else 127.0.0.1 may be written for one program or another.
SPELLINGS = [
    *("127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "017700000001", "0"),
    *("①②⑦.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "127.0.0.1."),
    *("%31%32%37.0.0.1", "127%2e0.0.1", "localhost", "LOCALHOST", "localhost."),
]
TRICKS = [
    *("https://shop.example@127.0.0.1/", "https://127.0.0.1@shop.example/"),
    *("https://user:password@shop.example/", "https://127.0.0.1%2f@shop.example/"),
    *("https://shop.example\\@127.0.0.1/", "https://127.0.0.1\\@shop.example/"),
    *("https://127.0.0.1\t/", "https://127.0.0.1 /", "https://127.0.0\n.1/"),
    *(
        "//127.0.0.1/",
        "/relative",
        "",
        "https://",
        "https:///x",
        "https:127.0.0.1",
        "https://:443",
    ),
    *("https://127.0.0.1:443:80/", "https://[::1]shop.example/", "https://[127.0.0.1]/"),
    *("ftp://127.0.0.1/", "file:///etc/passwd", "ws://127.0.0.1/", "gopher://127.0.0.1/"),
    "https://shop.example/" + "x" * 5000,
]


@pytest.mark.parametrize("host", [*LITERALS, *SPELLINGS])
@pytest.mark.parametrize("way", ["https://{}/", "https://@{}/", "http://{}/", "https://{}:1/"])
async def test_no_spelling_of_an_address_leads_inside(
    fetching: Fetch, internet: SmallInternet, way: str, host: str
) -> None:
    with pytest.raises(ToolFailedError):
        await fetching(way.format(host))
    assert (internet.canary_visits, internet.connected) == (0, [])


@pytest.mark.parametrize("host", [*(each.strip("[]") for each in LITERALS), *SPELLINGS])
async def test_no_spelling_of_an_address_leads_inside_by_tcp(
    fetching: Fetch, internet: SmallInternet, host: str
) -> None:
    with pytest.raises(ToolFailedError):
        await fetching(host=host, port=443)
    assert (internet.canary_visits, internet.connected) == (0, [])


@pytest.mark.parametrize("url", TRICKS)
async def test_an_address_that_can_be_read_in_two_ways_is_not_opened(
    fetching: Fetch, internet: SmallInternet, url: str
) -> None:
    with pytest.raises(OutboundRefusedError) as caught:
        await fetching(url)
    assert caught.value.user_message.startswith("I do not open that address: ")
    assert "password" not in caught.value.user_message.replace("a user or a password", "")
    assert (internet.canary_visits, internet.connected) == (0, [])


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["64:ff9b::7f00:1"], ["fe80::1"]],
)
async def test_no_name_leads_inside(
    fetching: Fetch, internet: SmallInternet, addresses: list[str]
) -> None:
    internet.name("evil.example", addresses)
    with pytest.raises(OutboundRefusedError, match="it is not on the public internet"):
        await fetching("https://evil.example/")
    assert (internet.canary_visits, internet.connected) == (0, [])


async def test_a_name_that_leads_to_the_internet_and_inside_at_once_is_only_followed_outside(
    fetching: Fetch, internet: SmallInternet
) -> None:
    internet.name("evil.example", [SHOP, "127.0.0.1", MIRROR, "::1"])
    internet.refuse(SHOP, 443)
    internet.refuse(MIRROR, 443)
    with pytest.raises(ToolFailedError):
        await fetching("https://evil.example/")
    assert internet.canary_visits == 0
    assert set(internet.connected) == {(SHOP, 443), (MIRROR, 443)}


async def test_a_name_that_leads_inside_at_its_second_lookup_is_refused_then(
    fetching: Fetch, internet: SmallInternet
) -> None:
    internet.name("evil.example", [SHOP], ["127.0.0.1"])
    await internet.serve(SHOP, 80, say_hello)
    allow = [f"{SHOP}:80"]

    assert (await fetching("http://evil.example/", allow=allow))["text"] == "hello"
    with pytest.raises(OutboundRefusedError):
        await fetching("http://evil.example/", allow=allow)

    assert (internet.canary_visits, internet.connected) == (0, [(SHOP, 80)])


async def test_a_name_that_leads_inside_after_its_own_redirect_is_refused(
    fetching: Fetch, internet: SmallInternet
) -> None:
    internet.name("evil.example", [SHOP], ["127.0.0.1"])
    await internet.serve(SHOP, 80, redirect_to("/again"))
    with pytest.raises(OutboundRefusedError):
        await fetching("http://evil.example/", allow=[f"{SHOP}:80"])
    assert (internet.canary_visits, internet.connected) == (0, [(SHOP, 80)])


@pytest.mark.parametrize(
    "location",
    [
        *("http://127.0.0.1/", "https://127.0.0.1/", "//127.0.0.1/", "https://[::ffff:7f00:1]/"),
        *("https://localhost/", "http://169.254.169.254/latest", "http://shop.example:8080/"),
        *("https://shop.example@127.0.0.1/", "https:\\\\127.0.0.1/", "ftp://127.0.0.1/"),
    ],
)
async def test_a_redirect_is_checked_like_any_address(
    fetching: Fetch, internet: SmallInternet, location: str
) -> None:
    await internet.serve(SHOP, 80, redirect_to(location))
    with pytest.raises(ToolFailedError):
        await fetching("http://shop.example/", allow=["shop.example:80"])
    assert (internet.canary_visits, internet.connected) == (0, [(SHOP, 80)])


async def test_a_chain_of_redirects_leads_inside_no_more_than_one(
    fetching: Fetch, internet: SmallInternet
) -> None:
    chain = redirect_to("/second", "//mirror.example/", "https://127.0.0.1/")
    internet.name("mirror.example", [MIRROR])
    await internet.serve(SHOP, 80, chain)
    await internet.serve(MIRROR, 80, chain)
    with pytest.raises(OutboundRefusedError):
        await fetching("http://shop.example/", allow=["shop.example:80", "mirror.example:80"])
    assert (internet.canary_visits, len(internet.connected)) == (0, 3)


async def test_a_redirect_from_the_internet_does_not_lead_to_what_is_allowed_inside(
    fetching: Fetch, internet: SmallInternet
) -> None:
    internet.name("wiki.internal", ["10.0.0.5"])
    await internet.serve("10.0.0.5", 80, say_hello)
    await internet.serve(SHOP, 80, redirect_to("/on", "http://wiki.internal/delete?all"))
    allow = ["shop.example:80", "wiki.internal:80"]

    assert (await fetching("http://wiki.internal/", allow=allow))["text"] == "hello"
    with pytest.raises(OutboundRefusedError, match="leads into the private network"):
        await fetching("http://shop.example/", allow=allow)

    assert [host for host, _ in internet.connected].count("10.0.0.5") == 1


@pytest.mark.parametrize("url", ["http://wiki.internal:81/", "https://wiki.internal/"])
async def test_another_port_of_an_allowed_host_is_refused(
    fetching: Fetch, internet: SmallInternet, url: str
) -> None:
    internet.name("wiki.internal", ["10.0.0.5"])
    with pytest.raises(OutboundRefusedError):
        await fetching(url, allow=["wiki.internal:80", "10.0.0.5:8443"])
    assert (internet.canary_visits, internet.connected) == (0, [])


@pytest.mark.parametrize("url", ["http://shop.example/", "https://shop.example:8443/"])
async def test_the_internet_is_open_by_https_on_its_own_port_only(
    fetching: Fetch, internet: SmallInternet, url: str
) -> None:
    with pytest.raises(OutboundRefusedError, match="only be asked by https on port 443"):
        await fetching(url)
    assert internet.connected == []


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "64:ff9b::7f00:1", "224.0.0.1"])
async def test_an_allowed_name_does_not_lead_to_the_secrets_of_a_cloud(
    fetching: Fetch, internet: SmallInternet, address: str
) -> None:
    internet.name("wiki.internal", [address])
    with pytest.raises(OutboundRefusedError, match="can list its address"):
        await fetching("http://wiki.internal/", allow=["wiki.internal:80"])
    assert (internet.canary_visits, internet.connected) == (0, [])


async def test_an_opened_nat64_leads_no_further_than_the_internet(
    fetching: Fetch, internet: SmallInternet
) -> None:
    through, inside = "64:ff9b::5db8:d822", "64:ff9b::7f00:1"
    internet.name("shop.example", [through])
    internet.name("evil.example", [inside])
    await internet.serve(through, 80, say_hello)
    allow = ["[64:ff9b::/96]:80"]

    with pytest.raises(OutboundRefusedError):
        await fetching("http://evil.example/", allow=allow)
    assert (await fetching("http://shop.example/", allow=[*allow, "shop.example:80"]))["text"]

    assert (internet.canary_visits, internet.connected) == (0, [(through, 80)])


async def test_no_proxy_and_no_password_file_of_the_environment_is_used(
    fetching: Fetch,
    internet: SmallInternet,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    proxy = f"http://127.0.0.1:{internet.canary_port}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine shop.example login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    async def tell(request: web.Request) -> web.StreamResponse:
        return web.Response(text=str("Authorization" in request.headers))

    await internet.serve(SHOP, 80, tell)
    assert (await fetching("http://shop.example/", allow=["shop.example:80"]))["text"] == "False"
    await internet.serve(SHOP, 443, say_hello)
    with pytest.raises(ToolFailedError, match="TLS"):
        await fetching("https://shop.example/")
    assert (internet.canary_visits, internet.connected) == (0, [(SHOP, 80), (SHOP, 443)])
