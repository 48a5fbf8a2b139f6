"""Packets: hostile ones, and that positions are right."""

import pytest

from annotator.metadata import packet as packet_module
from annotator.metadata.packet import MAX_BYTES, RDF, Packet

BEGIN = f'<rdf:RDF xmlns:rdf="{RDF}">'.encode()
BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">&b;</rdf:RDF>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no XML"),
        (b"my notes", "no XML"),
        (BEGIN, "no XML"),
        (b"<a/>", "holds no rdf:RDF"),
        (b"\xff\xfe<", "must be Unicode"),
        (b"\xe9", "must be Unicode"),
        (BOMB, "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (BEGIN + b"<a>" * 101 + b"</a>" * 101 + b"</rdf:RDF>", "100 one in the other"),
        (b" " * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
    ],
)
def test_what_is_no_xmp_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        Packet(content)


def test_countless_elements_are_refused(monkeypatch, digikam):
    monkeypatch.setattr(packet_module, "_MOST_ELEMENTS", 20)
    with pytest.raises(ValueError, match="more than 20 elements"):
        Packet(digikam)


def test_positions_are_those_of_the_bytes(packet):
    def check(element):
        text = packet[element.start : element.end]
        assert text.startswith(f"<{element.tag}".encode())
        assert text.endswith(b"/>" if element.is_empty_tag else b">")
        if not element.is_empty_tag:
            assert packet[: element.inside].endswith(b">")
            assert packet[element.inside_end :].startswith(f"</{element.tag}".encode())
        for child in element.children:
            assert element.inside <= child.start < child.end <= element.inside_end
            check(child)

    check(Packet(packet).rdf)


def test_no_edit_changes_nothing(packet):
    assert Packet(packet).spliced([]) == packet
