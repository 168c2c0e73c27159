#!/usr/bin/env python3
"""redis_check.py PORT [threads]: what a server does with a connection, where its own tests do not look:
pieces and ends of streams, slow readers, more clients than one array has room for, a client that
becomes a replica, the debugger, which reads by itself.  threads: of a server with that module
(integrations/redis/threads.c), what its thread does while the server waits.  Prints how many checks were made; ends
with the first that fails."""
import socket
import struct
import sys
import time

PORT = int(sys.argv[1])


def dial():
    sock = socket.create_connection(("127.0.0.1", PORT), timeout=120)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def take(sock, expected):
    """Exactly these bytes come next."""
    got = b""
    while len(got) < len(expected):
        data = sock.recv(min(65536, len(expected) - len(got)))
        assert data, "the end after %d of %d bytes" % (len(got), len(expected))
        got += data
    assert got == expected, "%r instead of %r" % (got[:80], expected[:80])


def take_until(sock, end):
    got = b""
    while end not in got:
        data = sock.recv(65536)
        assert data, "the end after %r" % got
        got += data
    return got


def ended(sock):
    assert sock.recv(1) == b"", "something after the end"
    sock.close()


def pipeline_then_end():
    """Replies to all that came before the end, in its order, and then the end."""
    nr = 5000
    sock = dial()
    sock.sendall(command(b"DEL", b"check:n"))
    take_until(sock, b"\r\n")
    sock.sendall(command(b"INCR", b"check:n") * nr)
    sock.shutdown(socket.SHUT_WR)
    take(sock, b"".join(b":%d\r\n" % (i + 1) for i in range(nr)))
    ended(sock)


def byte_by_byte():
    sock = dial()
    for byte in command(b"ECHO", b"slow"):
        sock.sendall(bytes([byte]))
    take(sock, b"$4\r\nslow\r\n")
    sock.close()


def large_values():
    """More than the area, the socket and the output buffer take, to a slow reader."""
    value = bytes(range(256)) * 16384
    sock = dial()
    sock.sendall(command(b"SET", b"check:large", value))
    take(sock, b"+OK\r\n")
    for _ in range(3):
        sock.sendall(command(b"GET", b"check:large") + command(b"PING"))
    for _ in range(3):
        take(sock, b"$%d\r\n%s\r\n+PONG\r\n" % (len(value), value))
    sock.sendall(command(b"DEL", b"check:large"))
    take(sock, b":1\r\n")
    sock.close()


def many_clients():
    """Replies of one turn, more than an array has room for; to some nobody listens."""
    socks = [dial() for _ in range(200)]
    for turn in range(5):
        for i, sock in enumerate(socks):
            sock.sendall(command(b"ECHO", b"%d.%d" % (turn, i)))
        for i, sock in enumerate(socks):
            word = b"%d.%d" % (turn, i)
            take(sock, b"$%d\r\n%s\r\n" % (len(word), word))
    for sock in socks[::2]:
        sock.sendall(command(b"PING"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    for sock in socks[1::2]:
        sock.sendall(command(b"PING"))
        take(sock, b"+PONG\r\n")
        sock.close()


def subscribers():
    """One command, replies to many; the order of one connection stays."""
    socks = [dial() for _ in range(100)]
    for sock in socks:
        sock.sendall(command(b"SUBSCRIBE", b"check"))
        take(sock, b"*3\r\n$9\r\nsubscribe\r\n$5\r\ncheck\r\n:1\r\n")
    teller = dial()
    for i in range(10):
        teller.sendall(command(b"PUBLISH", b"check", b"%d" % i))
    take(teller, b":%d\r\n" % len(socks) * 10)
    for sock in socks:
        take(sock, b"".join(b"*3\r\n$7\r\nmessage\r\n$5\r\ncheck\r\n$1\r\n%d\r\n" % i for i in range(10)))
        sock.close()
    teller.close()


def closes():
    """By itself, by another, and by what it says, each after the replies before."""
    sock = dial()
    sock.sendall(command(b"PING") + command(b"QUIT") + command(b"PING"))
    take(sock, b"+PONG\r\n+OK\r\n")
    ended(sock)
    sock = dial()
    sock.sendall(command(b"PING") + b"*1\r\n!\r\n")
    take(sock, b"+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n")
    ended(sock)
    sock, other = dial(), dial()
    sock.sendall(command(b"CLIENT", b"ID"))
    number = take_until(sock, b"\r\n")[1:-2]
    other.sendall(command(b"CLIENT", b"KILL", b"ID", number) + command(b"PING"))
    take(other, b":1\r\n+PONG\r\n")
    ended(sock)
    other.sendall(command(b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"no"))
    take(other, b":1\r\n")
    ended(other)


def debugger():
    """It reads by itself: in a child, and in the server while that does nothing else."""
    for mode in b"YES", b"SYNC":
        sock = dial()
        sock.sendall(command(b"SCRIPT", b"DEBUG", mode))
        take(sock, b"+OK\r\n")
        sock.sendall(command(b"EVAL", b"local a = 1\nlocal b = 2\nreturn a + b", b"0"))
        take_until(sock, b"local a = 1")
        sock.sendall(command(b"step"))
        take_until(sock, b"local b = 2")
        sock.sendall(command(b"print", b"a"))
        take_until(sock, b"<value> 1")
        sock.sendall(command(b"continue"))
        take_until(sock, b"<endsession>\r\n:3\r\n")
        ended(sock)
    sock = dial()
    sock.sendall(command(b"PING"))
    take(sock, b"+PONG\r\n")
    sock.close()


def replica():
    """A client that becomes one: the file, some megabytes, to a slow reader, then the stream."""
    sock, other = dial(), dial()
    other.sendall(command(b"DEBUG", b"POPULATE", b"20000", b"check", b"200"))
    take(other, b"+OK\r\n")
    sock.sendall(command(b"SYNC"))
    while sock.recv(1) != b"$":
        pass
    size = b""
    while not size.endswith(b"\r\n"):
        size += sock.recv(1)
    got = 0
    while got < int(size):
        data = sock.recv(min(65536, int(size) - got))
        assert data and (got or data.startswith(b"REDIS")), "no file of %r" % size
        got += len(data)
    for i in range(1000):
        other.sendall(command(b"SET", b"check:replica", b"%d" % i))
    take(other, b"+OK\r\n" * 1000)
    took = take_until(sock, command(b"SET", b"check:replica", b"999"))
    assert took.count(b"check:replica") == 1000, "a stream with a hole"
    other.sendall(command(b"FLUSHALL"))
    take(other, b"+OK\r\n")
    sock.close()
    other.close()


def threads():
    """Clients that are killed, and pipes that come and go, by a thread."""
    kills = 100
    control = dial()
    control.sendall(command(b"THREADS.START", b"%d" % kills))
    take(control, b"+OK\r\n")
    for _ in range(kills // 10):
        victims = [dial() for _ in range(10)]
        for sock in victims:
            sock.sendall(command(b"THREADS.VICTIM"))
            take(sock, b"+OK\r\n")
        for sock in victims:
            ended(sock)
    said = b"+running\r\n"
    while said == b"+running\r\n":
        time.sleep(0.01)
        control.sendall(command(b"THREADS.RESULT"))
        said = take_until(control, b"\r\n")
    assert said == b"+done %d\r\n" % kills, said
    control.close()


CHECKS = (pipeline_then_end, byte_by_byte, large_values, many_clients, subscribers, closes, debugger, replica)
if "threads" in sys.argv[2:]:
    CHECKS = (threads,)
for check in CHECKS:
    try:
        check()
    except (AssertionError, OSError) as error:
        sys.exit("%s: %s" % (check.__name__, error))
print("%d checks" % len(CHECKS))
