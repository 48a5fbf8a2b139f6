"""Edits of XMP: what changes, and that nothing else does."""

import dataclasses

import pytest

from annotator.metadata.edit import Change, edit, is_empty
from annotator.metadata.keywords import Mark, read_keywords
from annotator.metadata.packet import Packet

DOG = Mark("animal|dog", 0.93, "tagger", "3fa", "r1", "2026-11-27T13:00:00+00:00")
GRASS = Mark('"grass" & <moss>', 0.5, "tagger", run="r1")
CAPTION = Mark("a dog", -1.25, "captioner", run="r1", language="en")


def read(content):
    return read_keywords(Packet(content))


def stays(before, after):
    """Whether `after` is `before` with other tags put in."""
    tags = iter(after.split(b">"))
    return all(tag in tags for tag in before.split(b">"))


def test_what_is_written_is_read():
    keywords = read(edit(None, Change(machine=[DOG, GRASS], caption=CAPTION)))
    assert keywords.human == ()
    assert keywords.machine == (DOG, GRASS)
    assert keywords.description == "a dog"
    assert keywords.caption == CAPTION


def test_a_second_edit_changes_nothing(packet):
    change = Change(machine=[DOG, GRASS], caption=CAPTION)
    once = edit(packet, change)
    assert edit(once, change) == once


def test_what_was_there_stays_tag_by_tag(packet):
    before = read(packet)
    after = edit(packet, Change(machine=[GRASS]))
    assert read(after).human == before.human
    assert read(after).machine == (GRASS,)
    if not packet.startswith(b"<x:xmpmeta"):  # there an empty tag is opened
        assert stays(packet, after)


def test_all_that_was_written_can_be_taken_back_to_the_byte(packet):
    written = edit(packet, Change(machine=[GRASS, DOG]))
    taken_back = edit(written, Change(without_run="r1"))
    if packet.startswith(b"<x:xmpmeta"):
        assert read(taken_back) == read(packet)
    else:
        assert taken_back == packet


def test_a_packet_that_a_run_made_is_empty_without_it():
    written = edit(None, Change(machine=[GRASS], caption=CAPTION))
    assert not is_empty(written)
    assert is_empty(edit(written, Change(without_run="r1")))


def test_a_better_model_replaces_what_the_first_wrote(packet):
    first = edit(packet, Change(machine=[DOG, GRASS], caption=CAPTION))
    cat = Mark("cat", 0.7, run="r2")
    second = edit(first, Change(machine=[cat], caption=Mark("a cat", run="r2")))
    assert read(second).machine == (cat,)
    assert read(second).human == read(packet).human
    assert b"grass" not in second and b"animal" not in second


def test_a_persons_words_are_not_written_again(digikam):
    marks = [Mark("dog", run="r"), Mark("france", run="r"), Mark("sea", run="r")]
    content = edit(digikam, Change(machine=marks, caption=Mark("a sea", run="r")))
    keywords = read(content)
    assert keywords.human == ("Animals|Dog", "Places|France|Pic du Midi", "beach")
    assert [mark.text for mark in keywords.machine] == ["sea"]
    assert keywords.description == "Our dog & the sea"
    assert keywords.caption is None
    assert edit(content, Change(without_run="r")) == digikam


def test_a_word_that_a_person_took_out_is_not_written_again():
    content = edit(None, Change(machine=[DOG, GRASS]))
    taken_out = content.replace(b"<rdf:li>dog</rdf:li>", b"")
    assert read(taken_out).rejected == (DOG,)
    again = edit(taken_out, Change(machine=[Mark("Dog", run="r2"), GRASS]))
    assert read(again).machine == (GRASS,)
    assert read(again).rejected == (dataclasses.replace(DOG, state="rejected"),)
    assert b"<rdf:li>animal|dog" not in again  # nor where only digiKam looks


def test_a_word_that_a_person_took_out_and_put_back_is_the_persons():
    content = edit(None, Change(machine=[DOG, GRASS]))
    content = edit(content, Change(rejected=[DOG.text]))
    bag = b"<dc:subject>\n    <rdf:Bag>"
    put_back = content.replace(bag, bag + b"<rdf:li>dog</rdf:li>")
    assert read(put_back).human == ("dog",)
    after = edit(put_back, Change(machine=[Mark("cat")]))
    assert read(after).human == ("dog",)
    assert [mark.text for mark in read(after).machine] == ["cat"]


def test_a_word_that_a_person_put_elsewhere_is_the_persons():
    content = edit(None, Change(machine=[DOG]))
    moved = content.replace(b"<rdf:li>animal|dog<", b"<rdf:li>family|dog<").replace(
        b"<rdf:li>animal/dog<", b"<rdf:li>family/dog<"
    )
    assert read(moved).human == ("family|dog",)
    after = edit(moved, Change(machine=[GRASS]))
    assert read(after).human == ("family|dog",)
    assert b"<rdf:li>dog</rdf:li>" in after


def test_a_path_of_the_machine_goes_where_a_person_wrote_another():
    content = edit(None, Change(machine=[DOG]))
    both = content.replace(
        b"<rdf:li>animal|dog</rdf:li>",
        b"<rdf:li>animal|dog</rdf:li><rdf:li>family|dog</rdf:li>",
    )
    after = edit(both, Change(machine=[GRASS]))
    assert read(after).human == ("family|dog",)
    assert b"animal|dog" not in after and b"<rdf:li>dog</rdf:li>" in after


def test_a_person_confirms_and_rejects():
    content = edit(None, Change(machine=[DOG, GRASS]))
    content = edit(content, Change(human=["animal|dog", "ball"], rejected=["cat"]))
    keywords = read(content)
    assert keywords.human == ("animal|dog", "ball")
    assert keywords.machine == (GRASS,)
    assert [mark.text for mark in keywords.rejected] == ["cat"]
    content = edit(content, Change(rejected=[GRASS.text, "ball"], human=["cat"]))
    keywords = read(content)
    assert keywords.human == ("animal|dog", "cat")
    assert [mark.text for mark in keywords.rejected] == [GRASS.text, "ball"]
    content = edit(content, Change(machine=[DOG, GRASS, Mark("Ball"), Mark("sea")]))
    assert [mark.text for mark in read(content).machine] == ["sea"]


def test_a_persons_description_takes_the_place_of_a_captions():
    content = edit(None, Change(caption=CAPTION))
    content = edit(content, Change(description="Rex", language="en"))
    assert (read(content).description, read(content).caption) == ("Rex", None)
    after = edit(content, Change(caption=CAPTION))
    assert after == content


def test_a_caption_that_a_person_corrected_stays():
    content = edit(None, Change(caption=CAPTION))
    corrected = content.replace(b">a dog<", b">a poodle<")
    after = edit(corrected, Change(caption=Mark("a cat", run="r2")))
    assert read(after).description == "a poodle"
    assert read(after).caption is None


@pytest.mark.parametrize(
    "subject",
    [
        "<dc:subject/>",
        "<dc:subject><rdf:Bag/></dc:subject>",
        "<dc:subject><rdf:Bag></rdf:Bag></dc:subject>",
        "<dc:subject>sea</dc:subject>",
        "<dc:subject><rdf:Seq><rdf:li>sea</rdf:li></rdf:Seq></dc:subject>",
    ],
)
def test_lists_of_all_forms_are_added_to(subject, packet):
    content = packet.replace(b"<dc:subject>", b"<dc:other>").replace(
        b"</dc:subject>", b"</dc:other>"
    )
    content = content.replace(
        b" </rdf:RDF>",
        b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        + subject.encode()
        + b"</rdf:Description></rdf:RDF>",
    )
    keywords = read(edit(content, Change(machine=[GRASS])))
    assert keywords.machine == (GRASS,)
    assert ("sea" in keywords.human) == ("sea" in subject)


def test_prefixes_of_others_are_left_alone():
    content = b"""<R:RDF xmlns:R="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
     <R:Description xmlns:dc="urn:other" dc:subject="theirs" xmlns:rdf="urn:none"/>
    </R:RDF>"""
    after = edit(content, Change(machine=[DOG], caption=CAPTION))
    assert read(after).machine == (DOG,)
    assert b'dc:subject="theirs"' in after


def test_an_rdf_without_a_description_gets_one():
    content = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'
    assert read(edit(content, Change(machine=[DOG]))).machine == (DOG,)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_an_encoding_stays(encoding, lightroom):
    content = lightroom.decode().encode(encoding)
    after = edit(content, Change(human=["Hündin"]))
    assert "Hündin" in after.decode(encoding)
    assert read(after).human == ("Hündin",)


def test_what_xml_cannot_hold_becomes_a_space():
    content = edit(None, Change(machine=[Mark("a\0b\n\ud800c")]))
    assert [mark.text for mark in read(content).machine] == ["a b c"]


def test_a_slash_would_be_a_path_for_digikam():
    content = edit(None, Change(machine=[Mark("b/w")]))
    assert b"TagsList>" not in content
    assert [mark.text for mark in read(content).machine] == ["b/w"]


def test_a_list_in_an_attribute_is_refused(digikam):
    content = digikam.replace(b'xmp:Rating="4"', b'dc:subject="dog"')
    with pytest.raises(ValueError, match="subject is written as an attribute"):
        edit(content, Change(machine=[GRASS]))
