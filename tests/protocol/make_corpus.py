#!/usr/bin/python3
"""Writes tests/protocol/corpus/: one message a file, in the byte order of little-endian machines.

valid-NAME.bin is a request as the kernel sends it (with SETXATTR_EXT agreed on), broken-NAME.bin one that must be
refused. The tests cut and mutate them; the fuzzer starts from them.
"""
import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "corpus"
NAME = b"name\0"


def message(opcode, body=b"", length=None, extlen=0, unique=2):
    """A header of 40 bytes, and `body`; `length` is what the header says, if that's to be a lie."""
    length = 40 + len(body) if length is None else length
    return struct.pack("<IIQQIIIHH", length, opcode, unique, 1, 1000, 1000, 77, extlen, 0) + body


def read_like(size=4096):
    return struct.pack("<QQIIQII", 3, 0, size, 2, 9, 0, 0)


def write(size, data):
    return struct.pack("<QQIIQII", 3, 0, size, 2, 9, 0, 0) + data


def ioctl(size, data):
    return struct.pack("<QIIQII", 3, 0, 0xC0045010, 0x7FFF0000, size, 4) + data


def forgets(count, sent):
    return struct.pack("<II", count, 0) + b"".join(struct.pack("<QQ", 10 + i, 1) for i in range(sent))


def mappings(count, sent):
    return struct.pack("<I", count) + b"".join(struct.pack("<QQ", i * 4096, 4096) for i in range(sent))


def setxattr(size, data):
    return struct.pack("<IIII", size, 0, 0, 0) + b"user.a\0" + data


LOCK = struct.pack("<QQQQIIII", 3, 9, 0, 99, 1, 77, 0, 0)
INIT = struct.pack("<IIIIIIIIIIIIIIII", 7, 45, 131072, 0x73FFFFFB, 0x1FF, *([0] * 11))

VALID = {
    "lookup": message(1, NAME),
    "forget": message(2, struct.pack("<Q", 3)),
    "getattr": message(3, struct.pack("<IIQ", 1, 0, 3)),
    "setattr": message(4, struct.pack("<IIQQQQQQ8I", 0xFFF, 0, 3, 10, 9, 1, 2, 3, 4, 5, 6, 0o644, 0, 1000, 1000, 0)),
    "readlink": message(5),
    "symlink": message(6, NAME + b"../target\0"),
    "mknod": message(8, struct.pack("<IIII", 0o20600, 0x0E03, 0o22, 0) + NAME),
    "mkdir": message(9, struct.pack("<II", 0o755, 0o22) + NAME),
    "mkdir-with-groups": message(
        9, struct.pack("<II", 0o755, 0o22) + NAME + struct.pack("<IIII", 16, 32, 1, 1000), extlen=2
    ),
    "unlink": message(10, NAME),
    "rmdir": message(11, NAME),
    "rename": message(12, struct.pack("<Q", 8) + NAME + b"other\0"),
    "link": message(13, struct.pack("<Q", 8) + NAME),
    "open": message(14, struct.pack("<II", 2, 0)),
    "read": message(15, read_like()),
    "write": message(16, write(9, b"some data")),
    "statfs": message(17),
    "release": message(18, struct.pack("<QIIQ", 3, 2, 1, 9)),
    "fsync": message(20, struct.pack("<QII", 3, 1, 0)),
    "setxattr": message(21, setxattr(5, b"value")),
    "getxattr": message(22, struct.pack("<II", 64, 0) + b"user.a\0"),
    "listxattr": message(23, struct.pack("<II", 64, 0)),
    "removexattr": message(24, b"user.a\0"),
    "flush": message(25, struct.pack("<QIIQ", 3, 0, 0, 9)),
    "init": message(26, INIT),
    "init-7.31": message(26, struct.pack("<IIII", 7, 31, 131072, 0x3FFFFFB)),
    "init-7.5": message(26, struct.pack("<II", 7, 5)),
    "opendir": message(27, struct.pack("<II", 0o200000, 0)),
    "readdir": message(28, read_like()),
    "releasedir": message(29, struct.pack("<QIIQ", 3, 0, 0, 0)),
    "fsyncdir": message(30, struct.pack("<QII", 3, 0, 0)),
    "getlk": message(31, LOCK),
    "setlk": message(32, LOCK),
    "setlkw": message(33, LOCK),
    "access": message(34, struct.pack("<II", 4, 0)),
    "create": message(35, struct.pack("<IIII", 2, 0o100644, 0o22, 0) + NAME),
    "interrupt": message(36, struct.pack("<Q", 2), unique=3),
    "bmap": message(37, struct.pack("<QII", 12, 512, 0)),
    "destroy": message(38),
    "ioctl": message(39, ioctl(4, b"\1\2\3\4")),
    "poll": message(40, struct.pack("<QQII", 3, 55, 1, 5)),
    "notify-reply": message(41, struct.pack("<QQIIQQ", 0, 4096, 4, 0, 0, 0) + b"page"),
    "batch-forget": message(42, forgets(3, 3)),
    "fallocate": message(43, struct.pack("<QQQII", 3, 0, 4096, 1, 0)),
    "readdirplus": message(44, read_like()),
    "rename2": message(45, struct.pack("<QII", 8, 1, 0) + NAME + b"other\0"),
    "lseek": message(46, struct.pack("<QQII", 3, 0, 4, 0)),
    "copy-file-range": message(47, struct.pack("<7Q", 3, 0, 8, 4, 0, 4096, 0)),
    "setupmapping": message(48, struct.pack("<5Q", 3, 0, 4096, 1, 0)),
    "removemapping": message(49, mappings(2, 2)),
    "syncfs": message(50, struct.pack("<Q", 0)),
    "tmpfile": message(51, struct.pack("<IIII", 2, 0o100600, 0, 0) + b"/\0"),
    "statx": message(52, struct.pack("<IIQII", 1, 0, 3, 0, 0xFFF)),
    "copy-file-range-64": message(53, struct.pack("<7Q", 3, 0, 8, 4, 0, 1 << 33, 0)),
    "cuse-init": message(4096, struct.pack("<IIII", 7, 45, 0, 1)),
    "resent": message(17, unique=(1 << 63) | 2),
}

BROKEN = {
    "nothing": b"",
    "half-a-header": message(1)[:20],
    "longer-than-it-says": message(1, NAME, length=42),
    "shorter-than-it-says": message(1, NAME, length=4096),
    "length-0": message(17, length=0),
    "length-of-4-gib": message(17, length=0xFFFFFFFF),
    "other-byte-order": message(26 << 24, INIT),
    "extensions-beyond-the-message": message(9, struct.pack("<II", 0o755, 0) + NAME, extlen=2),
    "extensions-of-512-kib": message(17, extlen=0xFFFF),
    "extensions-over-the-name": message(1, b"name123\0", extlen=1),
    "name-empty": message(1, b"\0"),
    "name-missing": message(1),
    "name-without-nul": message(1, b"name"),
    "name-with-slash": message(1, b"a/b\0"),
    "name-of-4096": message(1, b"x" * 4096 + b"\0"),
    "mknod-without-name": message(8, struct.pack("<IIII", 0o20600, 0x0E03, 0, 0)),
    "rename-with-one-name": message(12, struct.pack("<Q", 8) + NAME),
    "rename-second-without-nul": message(45, struct.pack("<QII", 8, 1, 0) + NAME + b"other"),
    "symlink-without-target": message(6, NAME),
    "open-of-4-bytes": message(14, b"\0\0\0\0"),
    "create-without-nul": message(35, struct.pack("<IIII", 2, 0o644, 0, 0) + b"name"),
    "write-less-than-announced": message(16, write(10, b"some data")),
    "write-more-than-announced": message(16, write(8, b"some data")),
    "write-4-gib-announced": message(16, write(0xFFFFFFFF, b"some data")),
    "setxattr-value-too-short": message(21, setxattr(6, b"value")),
    "setxattr-4-gib-announced": message(21, setxattr(0xFFFFFFFF, b"value")),
    "xattr-name-of-256": message(24, b"x" * 256 + b"\0"),
    "ioctl-input-too-short": message(39, ioctl(5, b"\1\2\3\4")),
    "ioctl-4-gib-announced": message(39, ioctl(0xFFFFFFFF, b"")),
    "retrieved-too-little": message(41, struct.pack("<QQIIQQ", 0, 0, 4096, 0, 0, 0) + b"page"),
    "batch-forget-one-too-many": message(42, forgets(4, 3)),
    "batch-forget-4-billion": message(42, forgets(0xFFFFFFFF, 3)),
    "batch-forget-count-that-wraps": message(42, forgets(0x10000001, 1)),
    "removemapping-one-too-many": message(49, mappings(3, 2)),
    "removemapping-4-billion": message(49, mappings(0xFFFFFFFF, 2)),
    "init-ext-without-flags2": message(26, INIT[:16]),
    "init-of-4-bytes": message(26, INIT[:4]),
}


def main():
    FOLDER.mkdir(exist_ok=True)
    for kind, messages in (("valid", VALID), ("broken", BROKEN)):
        for name, content in messages.items():
            (FOLDER / f"{kind}-{name}.bin").write_bytes(content)
    print(f"{len(VALID)} valid and {len(BROKEN)} broken messages")


if __name__ == "__main__":
    main()
