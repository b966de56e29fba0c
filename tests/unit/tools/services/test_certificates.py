"""Reading certificates: with another reader as the oracle, and with bytes that are none."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.tools.services._certificates.certificate import read_certificate
from lycatra_appservice.tools.services._certificates.judging import is_for
from lycatra_appservice.tools.services._certificates.places import CertificatePlace, read_place

AUTHORITY = trustme.CA(organization_name="Häuser & Söhne")
NAMES = ["shop.example", "*.shop.example", "192.0.2.7", "2001:db8::7"]
ISSUED = AUTHORITY.issue_cert(
    *NAMES, common_name="The shop", not_after=datetime(2049, 5, 6, 7, 8, 9, tzinfo=UTC)
)
PEM = ISSUED.cert_chain_pems[0].bytes()
DER = ssl.PEM_cert_to_DER_cert(PEM.decode())


def test_all_of_a_certificate_is_read_as_another_reader_reads_it() -> None:
    oracle = x509.load_der_x509_certificate(DER)
    found = read_certificate(DER)
    names = oracle.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(found.names) == [str(each.value) for each in names]
    assert found.not_before == oracle.not_valid_before_utc
    assert found.not_after == oracle.not_valid_after_utc
    assert "The shop" in found.subject
    assert "Häuser & Söhne" in found.issuer
    assert not found.is_self_issued


def test_who_signed_it_himself_is_seen() -> None:
    der = ssl.PEM_cert_to_DER_cert(AUTHORITY.cert_pem.bytes().decode())
    assert read_certificate(der).is_self_issued


@pytest.mark.parametrize("year", [1950, 1999, 2049, 2050, 9999])
def test_the_end_is_read_in_both_ways_of_writing_it(year: int) -> None:
    end = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    issued = AUTHORITY.issue_cert(
        "a.example", not_before=datetime(1950, 1, 1, tzinfo=UTC), not_after=end
    )
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    assert read_certificate(der).not_after == end


def test_what_a_stranger_writes_into_a_certificate_cannot_leave_its_place() -> None:
    issued = trustme.CA(organization_name="`x`\n| <b>@room").issue_cert(
        "a.example", common_name="\u202e" + "long " * 12
    )
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    found = read_certificate(der)
    for text in (found.issuer, found.subject):
        assert not set("`|<>\n\u202e") & set(text)
        assert len(text) <= 2 * 80 + 2


@pytest.mark.parametrize("percent", range(100))
def test_half_a_certificate_is_none(percent: int) -> None:
    cut = len(DER) * percent // 100
    with pytest.raises(ValueError):  # noqa: PT011 (what is wrong with it interests nobody)
        read_certificate(DER[:cut])


@given(st.binary(max_size=400))
def test_whatever_bytes_come_it_is_a_certificate_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        read_certificate(data)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255), st.integers(0, len(DER) - 1))
def test_a_certificate_with_wrong_bytes_in_it_is_read_or_a_value_error(
    at: int, byte: int, other: int
) -> None:
    broken = bytearray(DER)
    broken[at] = byte
    broken[other] ^= byte
    try:
        found = read_certificate(bytes(broken))
    except ValueError:
        return
    assert found.not_after.tzinfo is UTC


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example", True),
        ("SHOP.example.", True),
        ("www.shop.example", True),
        ("a.www.shop.example", False),
        ("example", False),
        ("notshop.example", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:DB8:0::7", True),
    ],
)
def test_a_certificate_is_for_its_names(host: str, expected: bool) -> None:
    assert is_for(read_certificate(DER), host) is expected


@pytest.mark.parametrize(
    ("written", "place", "shown"),
    [
        ("Example.org", CertificatePlace("example.org", 443), "example.org"),
        ("example.org.", CertificatePlace("example.org", 443), "example.org"),
        ("mail.example:993", CertificatePlace("mail.example", 993), "mail.example:993"),
        ("[::1]", CertificatePlace("::1", 443), "[::1]"),
        ("[::1]:8443", CertificatePlace("::1", 8443), "[::1]:8443"),
        ("10.0.0.5:443", CertificatePlace("10.0.0.5", 443), "10.0.0.5"),
    ],
)
def test_a_place_is_read(written: str, place: CertificatePlace, shown: str) -> None:
    assert read_place(written) == place
    assert str(place) == shown


@pytest.mark.parametrize(
    "written",
    ["", "https://a.example", "a b", "a:0", "a:65536", "::1", "a/b", "u@a", "a:b", "[::1", "a:"],
)
def test_what_is_no_place_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="should be"):
        read_place(written)
