// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * file.c - D13: what it costs to send a file that is in the page cache
 *
 * Workload file: TCP over the loopback.  A client sends a byte on each active
 * connection, then receives a file of as many bytes as the parameter says from each,
 * which it discards (MSG_TRUNC): nobody copies the bytes.  The file is on ext4 and was
 * read before.  Workload memfile: it is on tmpfs.  Workload scatfile: likewise, and no
 * two pages of it that follow each other do so in memory, where a page cache that was
 * filled by readahead, as that of file, has many that do.
 * An event is a file.  Client and server are a thread each on one CPU, and each runs
 * until it has to sleep, as in echo.c.
 *
 * The servers that learn of readiness receive the request, then call sendfile(2), and
 * again when there is room.  A short one says that there is none.  The server of the
 * floor sleeps in recv() and sendfile() on the first active connection.
 *
 * io_uring has no sendfile: it is asked for two linked splices, through a pipe of the
 * connection's own, of at most 1 MiB at a time; sockets are such that block, as its
 * workers do that anyway.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "bench.h"
#include "file.h"

#define ROOM		64	/* for a request, which is a byte */
#define PIPE		(1 << 20)

int file = -1;
off_t file_size;
off_t *file_left;

static void warm_up(void)
{
	static char room[1 << 16];
	off_t pos = 0;
	ssize_t n;

	while (pos < file_size) {
		n = pread(file, room, sizeof(room), pos);
		if (n <= 0)
			die("pread");
		pos += n;
	}
}

static void connections(struct bench *b, int flags, void (*make_file)(off_t size))
{
	run_until_sleep();
	if (!b->parameter)
		die_of("a file has a size");
	make_file(b->parameter);
	warm_up();
	tcp_connections(b, flags);
	file_left = get_memory(b->fd[b->registered - 1] + 1, sizeof(*file_left));
}

static void sources(struct bench *b)
{
	connections(b, SOCK_NONBLOCK, file_on_disk);
}

static void blocking_sources(struct bench *b)
{
	connections(b, 0, file_on_disk);
}

static void memory_sources(struct bench *b)
{
	connections(b, SOCK_NONBLOCK, file_in_memory);
}

static void blocking_memory_sources(struct bench *b)
{
	connections(b, 0, file_in_memory);
}

static void scattered_sources(struct bench *b)
{
	connections(b, SOCK_NONBLOCK, file_scattered);
}

static void blocking_scattered_sources(struct bench *b)
{
	connections(b, 0, file_scattered);
}

static void client(struct bench *b)
{
	unsigned int round, i, at;
	off_t left;
	ssize_t n;

	for (round = 0; round < b->rounds; round++) {
		for (i = 0, at = b->next; i < b->active; i++) {
			if (send(b->clients[at], "", 1, 0) != 1)
				die("client: send");
			if (++at == b->registered)
				at = 0;
		}
		for (i = 0, at = b->next; i < b->active; i++) {
			for (left = file_size; left; left -= n) {
				n = recv(b->clients[at], NULL, left, MSG_TRUNC);
				if (n <= 0)
					die("client: recv");
				b->client_calls++;
			}
			if (++at == b->registered)
				at = 0;
		}
		b->next = at;
		b->client_calls += b->active;
		b->collected += b->active;
	}
}

/* ---- readiness ---- */

/* Returns whether there was one. */
static inline bool receive_request(int fd)
{
	char room[ROOM];
	ssize_t n = recv(fd, room, sizeof(room), 0);

	if (n == 1)
		return true;
	if (n >= 0 || errno != EAGAIN)
		die("server: recv");
	return false;
}

static inline void serve(int fd)
{
	off_t pos;
	ssize_t n;

	if (!file_left[fd]) {
		if (!receive_request(fd))
			return;
		file_left[fd] = file_size;
	}
	pos = file_size - file_left[fd];
	n = sendfile(fd, file, &pos, file_left[fd]);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("server: sendfile");
	file_left[fd] -= n;
}

bool file_request(int fd)
{
	return receive_request(fd);
}

void file_serve(int fd)
{
	serve(fd);
}

static void floor_server(struct bench *b)
{
	unsigned int at = 0;

	for (;;) {
		do
			serve(b->fd[at]);
		while (file_left[b->fd[at]]);
		if (++at == b->registered)
			at = 0;
	}
}

static __always_inline void server(struct bench *b, enum peer peer)
{
	int i, n;

	for (;;) {
		n = collect(b, peer);
		for (i = 0; i < n; i++)
			serve(collected_fd(b, peer, i));
	}
}

ROUNDS(epoll_server, server(b, EPOLL))
ROUNDS(kevent_server, server(b, KEVENT))

static void epoll_queue(struct bench *b)
{
	epoll_make(b);
	epoll_add_all(b, EPOLLOUT | EPOLLET);
}

void file_add_socket(struct bench *b, int fd, uint32_t events)
{
	kevent_check(ukevent_add_socket(&b->queue, fd, KEVENT_SOCK_RECV | events,
					KEVENT_EDGE, fd), "kevent_ctl");
}

static void add_sockets(struct bench *b, uint32_t events)
{
	unsigned int i;

	for (i = 0; i < b->registered; i++)
		file_add_socket(b, b->fd[i], events);
}

static void kevent_queue(struct bench *b)
{
	kevent_make(b);
	add_sockets(b, KEVENT_SOCK_SEND);
}

/* ---- SENDFILE ---- */

void file_queue(struct bench *b, uint32_t flags)
{
	kevent_io_make(b, KEVENT_CREATE_SENDFILE | flags, 0);
}

void file_prepare_add(struct kevent_change *change, int fd, off_t from)
{
	file_left[fd] = file_size - from;
	*change = (struct kevent_change) {
		.op = KEVENT_OP_ADD,
		.type = KEVENT_TYPE_SENDFILE,
		.cookie = fd,
		.ident = fd,
		.param[KEVENT_SENDFILE_FD] = file,
		.param[KEVENT_SENDFILE_OFFSET] = from,
		.param[KEVENT_SENDFILE_LENGTH] = file_left[fd],
	};
}

void file_check_end(const struct ukevent *record)
{
	if (record->events != KEVENT_SENDFILE_DONE ||
	    record->data[0] != (uint64_t)file_left[record->cookie])
		kevent_unexpected(record);
}

static void sendfile_queue(struct bench *b)
{
	file_queue(b, 0);
	add_sockets(b, 0);
}

static void stream_queue(struct bench *b)
{
	file_queue(b, KEVENT_CREATE_DATA);
	kevent_stream_add_all(b, 0, 0, 0);
}

/* Transfers start with the call that waits for more. */
static __always_inline void sendfile_loop(struct bench *b, const bool stream)
{
	struct kevent_change *changes = get_memory(b->registered, sizeof(*changes));
	struct kevent_wait_args args = {
		.changes = (uintptr_t)changes,
		.change_size = sizeof(*changes),
	};
	const struct ukevent *record, *received;
	int i, n, nr = 0;

	for (;;) {
		args.nr_changes = nr;
		n = ukevent_dequeue_args(&b->queue, nr ? &args : NULL, b->record_buf,
					 b->batch, UKEVENT_FOREVER);
		kevent_check(n, "kevent_wait");
		for (i = 0; i < nr; i++)
			kevent_check(changes[i].result, "SENDFILE");
		nr = 0;
		received = NULL;
		for (i = 0; i < n; i++) {
			record = &b->record_buf[i];
			if (record->type == KEVENT_TYPE_SENDFILE) {
				file_check_end(record);
				continue;
			}
			if (stream) {
				if (kevent_length(record) != 1)
					kevent_unexpected(record);
				received = record;
			} else if (!receive_request(record->cookie)) {
				continue;
			}
			file_prepare_add(&changes[nr++], record->cookie, 0);
		}
		if (received)
			kevent_release(b, received);
	}
}

ROUNDS(sendfile_server, sendfile_loop(b, false))
ROUNDS(stream_server, sendfile_loop(b, true))

/* ---- the array of sends, and SENDFILE for what a socket has no room for ---- */

static __always_inline void send_loop(struct bench *b, const bool stream)
{
	struct kevent_change *changes = get_memory(b->registered, sizeof(*changes));
	struct kevent_wait_args args = {
		.changes = (uintptr_t)changes,
		.change_size = sizeof(*changes),
	};
	const struct ukevent *record, *received;
	int i, n, nr = 0, rests = 0;

	for (;;) {
		args.nr_changes = rests;
		n = sys_kevent_send(b->queue.fd, b->sends, nr, 1, rests ? &args : NULL,
				    rests ? sizeof(args) : 0);
		kevent_check(n, "kevent_send");
		for (i = 0; i < rests; i++)
			kevent_check(changes[i].result, "SENDFILE");
		for (i = rests = 0; i < nr; i++) {
			if (b->sends[i].result == file_size)
				continue;
			if (b->sends[i].result <= 0)
				die_of("server: kevent_send did not send");
			file_prepare_add(&changes[rests++], b->sends[i].fd,
					 b->sends[i].result);
		}
		n = ukevent_take(&b->queue, b->record_buf, b->batch);
		received = NULL;
		for (i = nr = 0; i < n; i++) {
			record = &b->record_buf[i];
			if (record->type == KEVENT_TYPE_SENDFILE) {
				file_check_end(record);
				continue;
			}
			if (stream) {
				if (kevent_length(record) != 1)
					kevent_unexpected(record);
				received = record;
			} else if (!receive_request(record->cookie)) {
				continue;
			}
			b->sends[nr++] = (struct kevent_send) {
				.fd = record->cookie,
				.len = file_size,
				.flags = KEVENT_SEND_FILE,
				.file_fd = file,
			};
		}
		if (received)
			kevent_release(b, received);
	}
}

ROUNDS(send_server, send_loop(b, false))
ROUNDS(stream_send_server, send_loop(b, true))

/* ---- io_uring ---- */

static int (*pipes)[2];

void file_make_pipes(struct bench *b)
{
	unsigned int i;

	pipes = get_memory(b->registered, sizeof(*pipes));
	for (i = 0; i < b->registered; i++)
		if (pipe2(pipes[i], O_CLOEXEC) ||
		    fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE) < PIPE)
			die("pipe");
}

void file_splice(struct bench *b, unsigned int i)
{
	const off_t left = file_left[b->fd[i]];
	const unsigned int n = left < PIPE ? left : PIPE;
	struct io_uring_sqe *sqe;

	sqe = uring_sqe(b);
	io_uring_prep_splice(sqe, file, file_size - left, pipes[i][1], -1, n, 0);
	sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = FILE_READ * b->registered + i;
	sqe = uring_sqe(b);
	io_uring_prep_splice(sqe, pipes[i][0], -1, b->fd[i], -1, n,
			     n < left ? SPLICE_F_MORE : 0);
	sqe->user_data = FILE_SENT * b->registered + i;
}

static void uring_server(struct bench *b)
{
	struct io_uring_cqe *cqe;
	unsigned int head, i;
	int given, n;

	uring_make_defer(b);
	uring_make_buffers(b, BATCH, ROOM);
	file_make_pipes(b);
	for (i = 0; i < b->registered; i++)
		uring_recv_multishot(b, i);
	for (;;) {
		uring_check(io_uring_submit_and_wait(&b->ring, 1),
			    "io_uring_submit_and_wait");
		given = n = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			n++;
			i = cqe->user_data % b->registered;
			switch (cqe->user_data / b->registered) {
			case FILE_REQUEST:
				if (cqe->res != 1 || !(cqe->flags & IORING_CQE_F_MORE))
					uring_unexpected(cqe);
				uring_give_back(b, cqe->flags >> IORING_CQE_BUFFER_SHIFT,
						given++);
				file_left[b->fd[i]] = file_size;
				file_splice(b, i);
				break;
			case FILE_SENT:
				if (cqe->res <= 0)
					uring_unexpected(cqe);
				file_left[b->fd[i]] -= cqe->res;
				if (file_left[b->fd[i]])
					file_splice(b, i);
				break;
			default:
				uring_unexpected(cqe);
			}
		}
		io_uring_buf_ring_advance(b->buf_ring, given);
		io_uring_cq_advance(&b->ring, n);
	}
}

#define RUNS(workload, sources, blocking)						\
	{ workload, "floor", blocking, NULL, client, floor_server },			\
	{ workload, "epoll-et", sources, epoll_queue, client, epoll_server },		\
	{ workload, "kevent-edge", sources, kevent_queue, client, kevent_server },	\
	{ workload, "kevent-sendfile", sources, sendfile_queue, client, sendfile_server }, \
	{ workload, "kevent-stream-sendfile", sources, stream_queue, client, stream_server }, \
	{ workload, "kevent-send-file", sources, sendfile_queue, client, send_server },	\
	{ workload, "kevent-stream-send-file", sources, stream_queue, client, stream_send_server }, \
	{ workload, "uring-defer-splice", blocking, NULL, client, uring_server }

const struct run file_runs[] = {
	RUNS("file", sources, blocking_sources),
	RUNS("memfile", memory_sources, blocking_memory_sources),
	RUNS("scatfile", scattered_sources, blocking_scattered_sources),
	{ 0 },
};
