"""Reads the golden frames with another msgpack implementation (Debian: python3-msgpack).

Usage: python3 scripts/read_vectors.py docs/vectors/frames.json
Exits 0 when every header and every opened body holds exactly what the file says, 1 with the difference otherwise.
"""
import hashlib
import hmac
import json
import sys

import msgpack


def unpack(data):
    return msgpack.unpackb(data, raw=False, strict_map_key=True)


def is_tagged(vectors, frame, body):
    """Whether a control frame ends with the tag of its head (33 bytes) and its opened body."""
    tag_key = bytes.fromhex(vectors["frameKey"])[16:]
    tag = hmac.new(tag_key, bytes.fromhex(frame)[:33] + body, hashlib.sha256).digest()[:16]
    return bytes.fromhex(frame)[-16:] == tag


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    for vector in vectors["frames"]:
        frame = unpack(bytes.fromhex(vector["frame"]))
        sealed = frame.pop()
        header = [
            1,
            vector["typeNumber"],
            vectors["deployment"],
            bytes.fromhex(vectors["session"]),
            bytes.fromhex(vectors["sender"]),
            vector["sequence"],
        ]
        if frame != header:
            sys.exit(f"{vector['type']}: header {frame} is not {header}")
        body = bytes.fromhex(vector["body"])
        if len(sealed) != len(body) + 16:
            sys.exit(f"{vector['type']}: sealed body of {len(sealed)} bytes, opened one of {len(body)}")
        fields = dict(vector["fields"])
        if vector["type"] == "symbol":
            fields["payload"] = bytes.fromhex(fields["payload"])
        elif not is_tagged(vectors, vector["frame"], body):
            sys.exit(f"{vector['type']}: the tag is not that of head and body")
        if unpack(body) != list(fields.values()):
            sys.exit(f"{vector['type']}: body {unpack(body)} is not {list(fields.values())}")
    print(f"{len(vectors['frames'])} frames read")


if __name__ == "__main__":
    main(sys.argv[1])
