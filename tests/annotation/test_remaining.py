"""What is left to do, whatever the order of what is done."""

from annotator.annotation.remaining import without_done


def test_without_done_in_any_order():
    def left(names, done):
        return "".join(without_done(names, done))

    assert left("abcdef", "") == "abcdef"
    assert left("abcdef", "abc") == "def"
    assert left("abcdef", "abcdef") == ""
    assert left("aabab", "aab") == "ab"
    assert left("abxcd", "abc") == "xd"  # x came since
    assert left("bcd", "abc") == "d"  # a went since
    assert left("aba", "ba") == "a"  # as many of each

    def endless():
        yield from map(str, range(10**9))

    after = without_done(endless(), map(str, range(1000)))
    assert next(after) == "1000"
