#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""TCP echo by libkevent's symbols: tiny-server.c, without its headers."""
import ctypes
import errno
import socket
import struct
import sys

ADD, SOCKET = 1, 2
RECV, ACCEPT = 0x0001, 0x0040
LEVEL, FOREVER = 0, 2**64 - 1
u64, buffer = ctypes.c_uint64, ctypes.create_string_buffer
lib = ctypes.CDLL("libkevent.so.1")
lib.ukevent_queue_size.restype = ctypes.c_size_t
lib.ukevent_strerror.restype = ctypes.c_char_p


def watch(sock, events):
    """The cookie is the descriptor, and the close of that ends the interest."""
    fd = sock.fileno()
    error = lib.ukevent_add_socket(queue, fd, events, LEVEL, u64(fd))
    if error:
        sys.exit(lib.ukevent_strerror(2, error).decode())
    sock.setblocking(False)
    known[fd] = sock


def drop(sock):
    del known[sock.fileno()]
    sock.close()


def accept():
    try:
        watch(listener.accept()[0], RECV)
    except OSError:
        pass  # the client is gone


def echo(sock):
    """A record is a hint, and who does not read is disconnected."""
    try:
        data = sock.recv(4096)
        if not data or sock.send(data) != len(data):
            drop(sock)
    except BlockingIOError:
        pass
    except OSError:
        drop(sock)


known, queue, record = {}, buffer(lib.ukevent_queue_size()), buffer(32)
failed = lib.ukevent_queue_init(queue, buffer(128))
if failed:
    sys.exit(lib.ukevent_strerror(1, failed).decode())
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
watch(listener, ACCEPT)
print("ready", flush=True)
while (told := lib.ukevent_dequeue(queue, record, u64(FOREVER))) in (1, -errno.EINTR):
    cookie, events, kind, flags, _, _ = struct.unpack("=QIHHQQ", record)
    ready = known.get(cookie) if told == 1 else None
    if ready is listener:
        accept()
    elif ready:
        echo(ready)
sys.exit(lib.ukevent_strerror(3, told).decode())
