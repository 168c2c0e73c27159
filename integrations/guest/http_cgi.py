"""CGI programs, whose pipes come and go: what is sent to them comes back."""
import http.client
import os
import sys
import threading

port = int(sys.argv[1])


def talk(size):
    body = os.urandom(size // 2).hex().encode()
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for _ in range(3):
        conn.request("POST", "/program.cgi", body)
        answer = conn.getresponse()
        assert answer.status == 200, answer.status
        assert answer.read() == body
    done.append(size)


done = []
threads = [threading.Thread(target=talk, args=(size,)) for size in (10, 5000, 100000, 400000)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == len(threads), done
print("CGI: all right")
