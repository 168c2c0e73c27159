#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A timer by libkevent's symbols; what needs no more than these is alike."""
import ctypes
import struct
import sys

ADD, MONOTONIC, LEVEL = 1, 1, 0
u64, buffer = ctypes.c_uint64, ctypes.create_string_buffer
lib = ctypes.CDLL("libkevent.so.1")
lib.ukevent_queue_size.restype = ctypes.c_size_t
lib.ukevent_strerror.restype = ctypes.c_char_p

queue, params = buffer(lib.ukevent_queue_size()), buffer(128)
error = lib.ukevent_queue_init(queue, params)
if error:
    sys.exit(lib.ukevent_strerror(1, error).decode())
lib.ukevent_set_timer(queue, ADD, u64(1), u64(10**6), u64(10**6), MONOTONIC, LEVEL, u64(42))
record, expired = buffer(32), 0
while expired < 3 and lib.ukevent_dequeue(queue, record, u64(2**64 - 1)) == 1:
    cookie, events, kind, flags, count, _ = struct.unpack("=QIHHQQ", record)
    expired += count
print(f"timer {cookie} expired three times" if expired >= 3 else "interrupted")
lib.ukevent_queue_exit(queue)
