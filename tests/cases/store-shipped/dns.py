# A name server: dns.py ADDRESS NAME says that NAME is at 127.0.0.1, and of nothing else where it is.
import socket
import sys

address, known = sys.argv[1:]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((address, 53))
print("answering", flush=True)
while True:
    asked, who = server.recvfrom(512)
    at, labels = 12, []
    while asked[at]:
        labels.append(asked[at + 1 : at + 1 + asked[at]].decode())
        at += 1 + asked[at]
    name, kind = ".".join(labels), int.from_bytes(asked[at + 1 : at + 3])
    print("asked for", name, kind, flush=True)
    found = name == known and kind == 1
    flags = b"\x81\x80" if name == known else b"\x81\x83"
    answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01" if found else b""
    counts = bytes([0, 1, 0, found, 0, 0, 0, 0])
    server.sendto(asked[:2] + flags + counts + asked[12 : at + 5] + answer, who)
