// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * tiny-server - TCP echo, the smallest that is correct
 *
 * Nothing is kept for a connection: the cookie is its descriptor, and close() ends the
 * interest.  A record is a hint, so one that was told before the close costs a recv()
 * that says EAGAIN, or EBADF.  A client that does not read what it is sent is
 * disconnected, and who is out of descriptors turns in circles: echo-server.c is what
 * a real server would begin with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ukevent.h>
#include <ukevent_text.h>

int main(int argc, char **argv)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(argc > 1 ? atoi(argv[1]) : 7777),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct kevent_params params = { .nr_expected = 1024 };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct ukevent_queue q;
	struct ukevent ev;
	char buf[4096];
	ssize_t n;
	int fd, ret, one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener, SOMAXCONN)) {
		perror("tiny-server");
		return 1;
	}
	ret = ukevent_queue_init(&q, &params);
	if (ret) {
		fprintf(stderr, "tiny-server: %s\n",
			ukevent_strerror(UKEVENT_CREATE, ret));
		return 1;
	}
	ret = ukevent_add_socket(&q, listener, KEVENT_SOCK_ACCEPT, 0, listener);

	while (!ret || ret == -EINTR) {
		ret = ukevent_dequeue(&q, &ev, UKEVENT_FOREVER);
		if (ret != 1)
			continue;
		ret = 0;
		fd = ev.cookie;
		if (fd == listener) {
			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			if (fd >= 0 &&
			    ukevent_add_socket(&q, fd, KEVENT_SOCK_RECV, 0, fd))
				close(fd);
			continue;
		}
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0 || send(fd, buf, n, MSG_NOSIGNAL) != n)
			close(fd);
	}
	fprintf(stderr, "tiny-server: %s\n", ukevent_strerror(UKEVENT_WAIT, ret));
	return 1;
}
