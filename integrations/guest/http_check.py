"""Files of a web server: one by one, kept alive, pipelined, and a large one read slowly."""
import http.client
import socket
import sys
import time

port, www = int(sys.argv[1]), sys.argv[2]
large = open(www + "/large", "rb").read()
conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
for _ in range(50):
    conn.request("GET", "/small")
    answer = conn.getresponse()
    assert (answer.status, answer.read()) == (200, b"hello\n")
conn.request("GET", "/none")
answer = conn.getresponse()
answer.read()
assert answer.status == 404
others = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(50)]
for other in others:
    other.request("GET", "/large")
for other in others:
    assert other.getresponse().read() == large
slow = socket.create_connection(("127.0.0.1", port))
slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
got = b""
while True:
    piece = slow.recv(20000)
    if not piece:
        break
    got += piece
    if len(got) < 100000:
        time.sleep(0.01)
assert got.endswith(large)
print("files: all right")
