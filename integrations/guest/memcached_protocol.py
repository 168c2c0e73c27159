"""memcached's text protocol, the way clients use it: pipelined, in pieces, many at a time."""
import os
import socket
import sys

PORT = int(sys.argv[1])


def connect():
    return socket.create_connection(("127.0.0.1", PORT)).makefile("rwb", buffering=0)


def ask(conn, request, answer):
    conn.write(request)
    got = b""
    while len(got) < len(answer):
        piece = conn.read(len(answer) - len(got))
        assert piece, (request, got)
        got += piece
    assert got == answer, (request, got, answer)


one = connect()
ask(one, b"set a 5 0 3\r\nxyz\r\n", b"STORED\r\n")
ask(one, b"get a\r\n", b"VALUE a 5 3\r\nxyz\r\nEND\r\n")
ask(one, b"get a b\r\n", b"VALUE a 5 3\r\nxyz\r\nEND\r\n")
ask(one, b"add a 0 0 1\r\nx\r\n", b"NOT_STORED\r\n")
ask(one, b"append a 0 0 2\r\n12\r\n", b"STORED\r\n")
ask(one, b"get a\r\n", b"VALUE a 5 5\r\nxyz12\r\nEND\r\n")
ask(one, b"set n 0 0 1\r\n7\r\nincr n 5\r\ndecr n 2\r\ndelete n\r\nget n\r\n",
    b"STORED\r\n12\r\n10\r\nDELETED\r\nEND\r\n")
ask(one, b"nonsense\r\n", b"ERROR\r\n")
for byte in b"get a\r":
    one.write(bytes([byte]))
ask(one, b"\n", b"VALUE a 5 5\r\nxyz12\r\nEND\r\n")
big = os.urandom(500000).hex().encode()[:900000]
ask(one, b"set big 0 0 %d\r\n%s\r\n" % (len(big), big), b"STORED\r\n")
ask(one, b"get big\r\n" * 5, (b"VALUE big 0 %d\r\n%s\r\nEND\r\n" % (len(big), big)) * 5)
many = [connect() for _ in range(200)]
for i, conn in enumerate(many):
    ask(conn, b"set k%d 0 0 4\r\n%04d\r\n" % (i, i), b"STORED\r\n")
for i, conn in enumerate(many):
    j = len(many) - 1 - i
    ask(conn, b"get k%d\r\n" % j, b"VALUE k%d 0 4\r\n%04d\r\nEND\r\n" % (j, j))
for conn in many[::2]:
    conn.close()
for i, conn in enumerate(many[1::2]):
    ask(conn, b"get a\r\n" * 50, b"VALUE a 5 5\r\nxyz12\r\nEND\r\n" * 50)
print("memcached's protocol: all right")
