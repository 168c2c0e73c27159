// SPDX-License-Identifier: GPL-2.0
/*
 * SENDFILE: each cell of its column in the table of errors, Documentation/kevent/reference.rst,
 * and that a change which is refused leaves things as they were.
 */
#include "sendfile_test.h"

#define ADD	KEVENT_OP_ADD
#define MODIFY	KEVENT_OP_MODIFY
#define REMOVE	KEVENT_OP_REMOVE
#define ENABLE	KEVENT_OP_ENABLE
#define DISABLE	KEVENT_OP_DISABLE
#define TRIGGER	KEVENT_OP_TRIGGER
#define SET	KEVENT_OP_SET

/* What the change is about, and what there is before. */
enum ident { SOCKET, NOTHING, WIDE, NO_SOCKET, DATAGRAM, PACKET, LISTENER, FRESH, COPY };
enum there { NONE, DISABLED, ENDED };

FIXTURE(cell)
{
	struct ukevent_queue q;
	struct ukevent_queue plain;
	struct ukevent_queue other;
	struct transfer t;
	int fd;
	int ident[COPY + 1];
};

static int half_of(int family, int type)
{
	struct source s;

	if (sock_pair(&s, family, type))
		return -1;
	close(s.peer);
	return s.fd;
}

FIXTURE_SETUP(cell)
{
	struct listener l;
	unsigned int i;

	ASSERT_EQ(0, files_queue(&self->q, 8, 0));
	ASSERT_EQ(0, files_queue(&self->other, 8, 0));
	ASSERT_EQ(0, queue_init(&self->plain, 8));
	ASSERT_EQ(0, transfer_open(&self->t, AF_INET));
	self->fd = make_memfd(100000);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, open_listener(&l, AF_INET, SOCK_STREAM, 1));
	self->ident[SOCKET] = self->t.s.fd;
	self->ident[NOTHING] = -1;
	self->ident[NO_SOCKET] = self->fd;
	self->ident[DATAGRAM] = half_of(AF_INET, SOCK_DGRAM);
	self->ident[PACKET] = half_of(AF_UNIX, SOCK_SEQPACKET);
	self->ident[LISTENER] = l.fd;
	self->ident[FRESH] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	self->ident[COPY] = dup(self->t.s.fd);
	for (i = NO_SOCKET; i <= COPY; i++)
		ASSERT_LE(0, self->ident[i]);
}

FIXTURE_TEARDOWN(cell)
{
	unsigned int i;

	for (i = DATAGRAM; i <= COPY; i++)
		close(self->ident[i]);
	close(self->fd);
	source_close(&self->t.s);
	ukevent_queue_exit(&self->plain);
	ukevent_queue_exit(&self->other);
	ukevent_queue_exit(&self->q);
}

/* An entry with what the operation needs, and nothing else. */
static struct kevent_change entry_for(const FIXTURE_DATA(cell) *self, unsigned int op,
				      enum ident ident)
{
	struct kevent_change c;

	c = make_typed(op, KEVENT_TYPE_SENDFILE, self->ident[ident], 0, 0, 0);
	if (ident == NOTHING)
		c.ident = 999;
	if (ident == WIDE)
		c.ident = (1ULL << 32) + self->ident[SOCKET];
	if (op == ADD || op == SET)
		c.param[KEVENT_SENDFILE_FD] = self->fd;
	return c;
}

/* Brings about what a cell wants; the cookie is the transfer. */
static int make_there(FIXTURE_DATA(cell) *self, enum there there)
{
	transfer_next(&self->t, self->fd, 0, TO_END);
	if (there == NONE)
		return 0;
	if (there == DISABLED)
		self->t.c.flags |= KEVENT_START_DISABLED;
	if (there == ENDED)
		return transfer_run(&self->q, &self->t);
	return do_change(self->q.fd, &self->t.c);
}

/* What was there goes on to its end; what was not does not hinder anyone. */
static void still_works(struct __test_metadata *_metadata, FIXTURE_DATA(cell) *self,
			enum there there)
{
	if (there == DISABLED) {
		EXPECT_EQ(0, op_sendfile(&self->q, ENABLE, self->t.s.fd));
		EXPECT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	} else {
		transfer_next(&self->t, self->fd, 0, TO_END);
		EXPECT_EQ(0, transfer_run(&self->q, &self->t));
	}
	EXPECT_END(&self->t, SF_DONE, 100000, 0);
	EXPECT_QUIET(&self->q);
}

TEST_F_TIMEOUT(cell, by_descriptor, 300)
{
	static const struct {
		__u16 op;
		enum ident ident;
		enum there there;
		int error;
	} cells[] = {
		{ ADD, NOTHING, NONE, -EBADF }, { ADD, WIDE, NONE, -EBADF },
		{ REMOVE, NOTHING, DISABLED, -EBADF },
		{ REMOVE, WIDE, DISABLED, -EBADF },
		{ ENABLE, NOTHING, DISABLED, -EBADF },
		{ DISABLE, NOTHING, DISABLED, -EBADF },
		{ ADD, NO_SOCKET, NONE, -ENOTSOCK },
		{ ADD, DATAGRAM, NONE, -EOPNOTSUPP }, { ADD, PACKET, NONE, -EOPNOTSUPP },
		{ ADD, LISTENER, NONE, -EINVAL }, { ADD, FRESH, NONE, -ENOTCONN },
		{ ADD, SOCKET, DISABLED, -EEXIST }, { ADD, COPY, DISABLED, -EBUSY },
		{ REMOVE, SOCKET, NONE, -ENOENT }, { REMOVE, SOCKET, ENDED, -ENOENT },
		{ REMOVE, COPY, DISABLED, -ENOENT },
		{ ENABLE, SOCKET, NONE, -ENOENT }, { ENABLE, SOCKET, ENDED, -ENOENT },
		{ DISABLE, SOCKET, NONE, -ENOENT }, { DISABLE, SOCKET, ENDED, -ENOENT },
		{ REMOVE, NO_SOCKET, NONE, -ENOENT }, { ENABLE, LISTENER, NONE, -ENOENT },
		/* what a transfer does cannot be changed, whoever asks */
		{ MODIFY, SOCKET, NONE, -EINVAL }, { MODIFY, SOCKET, DISABLED, -EINVAL },
		{ MODIFY, NOTHING, NONE, -EINVAL },
		{ SET, SOCKET, NONE, -EOPNOTSUPP }, { SET, SOCKET, DISABLED, -EOPNOTSUPP },
		{ TRIGGER, SOCKET, NONE, -EOPNOTSUPP },
		{ TRIGGER, SOCKET, DISABLED, -EOPNOTSUPP },
	};
	struct kevent_change c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		ASSERT_EQ(0, make_there(self, cells[i].there));
		c = entry_for(self, cells[i].op, cells[i].ident);
		EXPECT_EQ(cells[i].error, do_change(self->q.fd, &c))
			TH_LOG("cell %u", i);
		still_works(_metadata, self, cells[i].there);
	}
}

/* The same of the file, and of what else an ADD says. */
TEST_F_TIMEOUT(cell, by_file, 300)
{
	int directory = open("/", O_RDONLY | O_CLOEXEC);
	int writer = open("/tmp/cell-writer", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	int path = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	const struct {
		const char *what;
		__u64 fd;
		int error;
	} files[] = {
		{ "none", 999, -EBADF }, { "negative", ~0ULL, -EBADF },
		{ "wide", (1ULL << 32) + self->fd, -EBADF },
		{ "for writing", writer, -EBADF }, { "by path", path, -EBADF },
		{ "directory", directory, -EOPNOTSUPP },
		{ "socket", self->t.s.peer, -EOPNOTSUPP },
		{ "queue", self->q.fd, -EOPNOTSUPP },
	};
	const struct {
		const char *what;
		struct ukevent_queue *q;
		enum there there;
		int error;
	} queues[] = {
		{ "does not send files", &self->plain, NONE, -ENXIO },
		{ "of another transfer", &self->other, DISABLED, -EBUSY },
	};
	struct kevent_change c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		c = entry_for(self, ADD, SOCKET);
		c.param[KEVENT_SENDFILE_FD] = files[i].fd;
		EXPECT_EQ(files[i].error, do_change(self->q.fd, &c))
			TH_LOG("%s", files[i].what);
		still_works(_metadata, self, NONE);
	}
	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		ASSERT_EQ(0, make_there(self, queues[i].there));
		c = entry_for(self, ADD, SOCKET);
		EXPECT_EQ(queues[i].error, do_change(queues[i].q->fd, &c))
			TH_LOG("%s", queues[i].what);
		EXPECT_QUIET(queues[i].q);
		still_works(_metadata, self, queues[i].there);
	}
	/* a header that cannot be read, wholly or in part */
	c = entry_for(self, ADD, SOCKET);
	c.param[KEVENT_SENDFILE_MARK] = KEVENT_SENDFILE_HEADER(2);
	c.addr = 1;
	EXPECT_EQ(-EFAULT, do_change(self->q.fd, &c));
	c.addr = (unsigned long)guarded_end(1) - 1;
	EXPECT_EQ(-EFAULT, do_change(self->q.fd, &c));
	still_works(_metadata, self, NONE);
	close(directory);
	close(writer);
	close(path);
}

/* Known by its id, as long as it has not ended. */
TEST_F_TIMEOUT(cell, by_id, 300)
{
	static const struct {
		__u16 op;
		int there;	/* errors */
		int ended;
	} cells[] = {
		{ ENABLE, 0, -ENOENT }, { DISABLE, 0, -ENOENT },
		{ MODIFY, -EINVAL, -EINVAL }, { TRIGGER, -EOPNOTSUPP, -EOPNOTSUPP },
		{ REMOVE, 0, -ENOENT },
	};
	struct kevent_change c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		ASSERT_EQ(0, make_there(self, DISABLED));
		c = entry_for(self, cells[i].op, SOCKET);
		c.ident = 0;
		c.flags = KEVENT_BY_ID;
		c.id = self->t.c.id;
		EXPECT_EQ(cells[i].there, do_change(self->q.fd, &c))
			TH_LOG("cell %u", i);
		/* another type has none of that id */
		c.type = KEVENT_TYPE_SOCKET;
		if (cells[i].op == REMOVE)
			EXPECT_EQ(-ENOENT, do_change(self->q.fd, &c));
		c.type = KEVENT_TYPE_SENDFILE;
		if (cells[i].op != REMOVE) {
			still_works(_metadata, self, DISABLED);
		} else {
			transfer_records(&self->q);
			EXPECT_END(&self->t, 0, 0, 0);
		}
		EXPECT_EQ(cells[i].ended, do_change(self->q.fd, &c))
			TH_LOG("cell %u", i);
		still_works(_metadata, self, NONE);
	}
}

/* A batch goes on behind what is refused in it. */
TEST_F_TIMEOUT(cell, in_a_batch, 300)
{
	struct kevent_change c[4];
	int i;

	transfer_next(&self->t, self->fd, 0, TO_END);
	c[0] = entry_for(self, ADD, NO_SOCKET);
	c[1] = self->t.c;
	c[2] = entry_for(self, ADD, SOCKET);
	c[3] = entry_for(self, ADD, COPY);
	EXPECT_EQ(4, sys_kevent_ctl(self->q.fd, c, 4, sizeof(*c), 0));
	EXPECT_EQ(-ENOTSOCK, c[0].result);
	EXPECT_EQ(0, c[1].result);
	EXPECT_EQ(-EEXIST, c[2].result);
	EXPECT_EQ(-EBUSY, c[3].result);
	for (i = 2; i < 4; i++)
		EXPECT_EQ(0ULL, c[i].id);
	EXPECT_EQ(0, transfers_run(&self->q, &self->t, 1, SIZE_MAX));
	EXPECT_END(&self->t, SF_DONE, 100000, 0);
}

/* An ADD that cannot be told has not been, and has sent nothing. */
TEST_F_TIMEOUT(cell, undone, 300)
{
	char *end = guarded_end(1);
	struct kevent_change *c = (struct kevent_change *)(end - sizeof(*c));
	int i;

	for (i = 0; i < 20; i++) {
		*c = entry_for(self, ADD, SOCKET);
		c->flags = KEVENT_WANT_LAST;
		ASSERT_EQ(0, mprotect(end - page_size(), page_size(), PROT_READ));
		EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->q.fd, c, 1, sizeof(*c), 0));
		ASSERT_EQ(0, mprotect(end - page_size(), page_size(),
				      PROT_READ | PROT_WRITE));
		EXPECT_QUIET(&self->q);
		EXPECT_EQ(0, unread(self->t.s.peer));
		EXPECT_EQ(-ENOENT, op_sendfile(&self->q, REMOVE, self->t.s.fd));
	}
	still_works(_metadata, self, NONE);
}

TEST_HARNESS_MAIN
