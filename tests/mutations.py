"""Changing files at random places, as editors, spreadsheets, transfers and disks do."""

from hypothesis import strategies as st

PIECES = [
    b'"',
    b'""',
    b",",
    b"\t",
    b";",
    b"\n",
    b"\r\n",
    b"\r",
    b"\\",
    b"\0",
    b"\xff",
    b"\xe9",
    b"{",
    b"}",
    b"[",
    b"null",
]
PIECES += [b'\\"', b"\xef\xbb\xbf", b" ", b'"\n', b',"', b"\\ud83d", b"NaN", b"0", b"\xe2\x80\xa8", b"\x1a", b"'"]


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """Up to four changes, each at a place from 0 (the start of the file) to 1."""
    kinds = st.sampled_from(["insert", "delete", "replace", "cut", "repeat"])
    return draw(st.lists(st.tuples(kinds, st.floats(0, 1), st.sampled_from(PIECES)), min_size=1, max_size=4))


def change(content: bytes, kind: str, place: float, piece: bytes) -> bytes:
    at = int(place * len(content))
    match kind:
        case "insert":
            return content[:at] + piece + content[at:]
        case "delete":
            return content[:at] + content[at + len(piece) :]
        case "replace":
            return content[:at] + piece + content[at + len(piece) :]
        case "cut":
            return content[:at] if at > len(content) // 2 else content[at:]
        case _:
            return content[:at] + content[max(0, at - 40) :]
