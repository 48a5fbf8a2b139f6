"""Sidecars as other programs write them."""

import pytest

# digiKam 8 by Exiv2: one rdf:Description, several lists of the same tags.
DIGIKAM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/"
   xmp:CreatorTool="digiKam-8.4.0"
   xmp:Rating="4">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>Animals/Dog</rdf:li>
     <rdf:li>Places/France/Pic du Midi</rdf:li>
     <rdf:li>beach</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
   <MicrosoftPhoto:LastKeywordXMP>
    <rdf:Bag>
     <rdf:li>Animals/Dog</rdf:li>
    </rdf:Bag>
   </MicrosoftPhoto:LastKeywordXMP>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>Animals|Dog</rdf:li>
     <rdf:li>Places|France|Pic du Midi</rdf:li>
     <rdf:li>beach</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <dc:description>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">Our dog &amp; the sea</rdf:li>
     <rdf:li xml:lang="de-DE">Unser Hund</rdf:li>
    </rdf:Alt>
   </dc:description>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Dog</rdf:li>
     <rdf:li>Pic du Midi</rdf:li>
     <rdf:li>beach</rdf:li>
    </rdf:Bag>
   </dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

# darktable: no packet, a history as attributes, and keywords of a flat list.
DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:darktable="http://darktable.sf.net/"
   darktable:xmp_version="5"
   darktable:raw_params="0>1">
   <!-- kept -->
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:num="0" darktable:params="gz02eJzjZGBg'"/>
    </rdf:Seq>
   </darktable:history>
   <dc:subject>
    <rdf:Seq><rdf:li>sea</rdf:li></rdf:Seq>
   </dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

# Lightroom: windows line ends, an empty tag for all that is simple.
LIGHTROOM = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 5.6-c140">\r\n'
    ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\r\n'
    '  <rdf:Description rdf:about=""\r\n'
    '    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"\r\n'
    '   crs:Exposure2012="+0.50"/>\r\n'
    " </rdf:RDF>\r\n"
    "</x:xmpmeta>\r\n"
)

PACKETS = {"digikam": DIGIKAM, "darktable": DARKTABLE, "lightroom": LIGHTROOM}


@pytest.fixture(params=list(PACKETS))
def packet(request):
    """The bytes of a sidecar of another program."""
    return PACKETS[request.param].encode()


@pytest.fixture
def digikam():
    return DIGIKAM.encode()


@pytest.fixture
def lightroom():
    return LIGHTROOM.encode()
