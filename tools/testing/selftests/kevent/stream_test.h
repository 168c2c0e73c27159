/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the tests of received bytes: queues with a data area, streams
 * whose bytes are known by position, a consumer that checks each record, senders.
 *
 * No function of the library that knows data areas is used, so that what it hides
 * is tested as well.
 */
#ifndef KEVENT_STREAM_TEST_H
#define KEVENT_STREAM_TEST_H

#include "socket_test.h"

#ifndef __NR_kevent_send
#define __NR_kevent_send	504
#endif

#define ST_RECV		((__u32)KEVENT_STREAM_RECV)
#define ST_SEND		((__u32)KEVENT_STREAM_SEND)
#define ST_ERROR	((__u32)KEVENT_STREAM_ERROR)
#define ST_HUP		((__u32)KEVENT_STREAM_HUP)
#define ST_RDHUP	((__u32)KEVENT_STREAM_RDHUP)

#define KIB		1024U
#define UNIT		((__u32)KEVENT_DATA_UNIT)

/* ---- streams ---- */

/* Eight bytes of the stream @seed: no two places look alike. */
static inline __u64 pattern_word(__u32 seed, __u64 word)
{
	__u64 x = (word + 1) * 0x9e3779b97f4a7c15ULL + seed * 0xbf58476d1ce4e5b9ULL;

	x ^= x >> 29;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 32;
}

static inline void pattern_fill(void *to, __u32 seed, __u64 pos, size_t len)
{
	unsigned char *p = (unsigned char *)to;
	__u64 word = pattern_word(seed, pos / 8);

	for (; len; len--, pos++) {
		if (pos % 8 == 0)
			word = pattern_word(seed, pos / 8);
		*p++ = word >> pos % 8 * 8;
	}
}

/* Are these the bytes from @pos on? */
static inline bool pattern_is(const void *from, __u32 seed, __u64 pos, size_t len)
{
	const unsigned char *p = (const unsigned char *)from;
	__u64 word = pattern_word(seed, pos / 8);

	for (; len; len--, pos++) {
		if (pos % 8 == 0)
			word = pattern_word(seed, pos / 8);
		if (*p++ != (unsigned char)(word >> pos % 8 * 8))
			return false;
	}
	return true;
}

static inline __u32 random_next(__u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* From 1 to @max, each magnitude as often as another. */
static inline __u32 random_size(__u32 *state, __u32 max)
{
	__u32 bits = random_next(state) % 32;

	return random_next(state) % max % (bits < 31 ? (2U << bits) : ~0U) + 1;
}

/* ---- queues with a data area ---- */

/**
 * struct piece - bytes in the area that the program has not given back
 * @offset: where they are
 * @len: how many
 * @end: what gives them back
 * @seed: which stream they are of
 * @pos: from where on
 */
struct piece {
	__u32 offset;
	__u32 len;
	__u32 end;
	__u32 seed;
	__u64 pos;
};

#define MAX_HELD	64

/**
 * struct stream_queue - a queue and its data area
 * @q: the queue
 * @p: what kevent_create() said
 * @area: the third mapping
 * @size: its size
 * @release: the release index
 * @end: where the newest piece ends that was told, as that index counts
 * @hold: so many pieces are kept before one is given back
 * @first: the oldest of them
 * @nr: how many they are
 * @held: the pieces
 */
struct stream_queue {
	struct ukevent_queue q;
	struct kevent_params p;
	unsigned char *area;
	__u32 size;
	__u32 *release;
	__u32 end;
	unsigned int hold;
	unsigned int first;
	unsigned int nr;
	struct piece held[MAX_HELD];
};

static inline int stream_queue_init(struct stream_queue *s, __u32 entries,
				    __u32 data_size)
{
	void *map;
	int ret;

	memset(s, 0, sizeof(*s));
	s->q.fd = -1;
	s->p.flags = KEVENT_CREATE_DATA;
	s->p.ring_entries = entries;
	s->p.data_size = data_size;
	ret = ukevent_queue_init(&s->q, &s->p);
	if (ret)
		return ret;
	s->size = s->p.data_size;
	map = mmap64(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, s->q.fd,
		     s->p.data_mmap_offset);
	if (map == MAP_FAILED)
		return -errno;
	s->area = (unsigned char *)map;
	s->release = (__u32 *)((char *)s->q.consumer_map + s->p.release_offset);
	return 0;
}

static inline void stream_queue_exit(struct stream_queue *s)
{
	if (s->area)
		munmap(s->area, s->size);
	s->area = NULL;
	ukevent_queue_exit(&s->q);
}

/* Gives back what lies before @end, as a program does. */
static inline void release_to(struct stream_queue *s, __u32 end)
{
	__atomic_store_n(s->release, end, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- changes ---- */

static inline struct kevent_change make_stream(unsigned int op, int fd,
					       __u32 events, __u32 flags,
					       __u64 cookie)
{
	return make_typed(op, KEVENT_TYPE_STREAM, fd, events, flags, cookie);
}

static inline int add_stream(struct stream_queue *s, int fd, __u32 events,
			     __u32 flags, __u64 cookie, __u64 *id)
{
	struct kevent_change c = make_stream(KEVENT_OP_ADD, fd, events, flags,
					     cookie);
	int ret = do_change(s->q.fd, &c);

	if (id)
		*id = c.id;
	return ret;
}

/* ADD, MODIFY or SET with parameters. */
static inline int tune_stream(struct stream_queue *s, unsigned int op, int fd,
			      __u32 events, __u32 flags, __u64 cookie,
			      __u64 lowat, __u64 most, __u64 share)
{
	struct kevent_change c = make_stream(op, fd, events, flags, cookie);

	c.param[KEVENT_STREAM_LOWAT] = lowat;
	c.param[KEVENT_STREAM_MOST] = most;
	c.param[KEVENT_STREAM_SHARE] = share;
	return do_change(s->q.fd, &c);
}

static inline int op_stream(struct stream_queue *s, unsigned int op, int fd)
{
	struct kevent_change c = make_stream(op, fd, 0, 0, 0);

	return do_change(s->q.fd, &c);
}

/*
 * REMOVE, DISABLE ... of a socket that kevent_wait() of another thread may be
 * receiving from: once more if it is.
 */
static inline int op_stream_retry(struct stream_queue *s, unsigned int op, int fd)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;
	int ret;

	do {
		ret = op_stream(s, op, fd);
		if (ret == -EBUSY)
			sched_yield();
	} while (ret == -EBUSY && now_ns(CLOCK_MONOTONIC) < end);
	return ret;
}

static inline int op_stream_id(struct stream_queue *s, unsigned int op, __u64 id)
{
	struct kevent_change c = make_stream(op, 0, 0, KEVENT_BY_ID, 0);

	c.id = id;
	return do_change(s->q.fd, &c);
}

/* ---- a consumer ---- */

/**
 * struct stream - what is expected of a connection, and what was told
 * @seed: its pattern
 * @base: bytes of it that came before position 0, the ADD
 * @next: the byte to be told next, as the pattern counts
 * @gaps: somebody else receives as well
 * @gap: called for bytes that were not told, or NULL
 * @arg: of that
 * @bytes: told
 * @pieces: in so many records
 * @longest: of which none was longer
 * @events: told beside RECV
 * @flags: of all records
 * @error: the error number of ERROR
 * @bad: what was wrong first, NULL if nothing was
 * @at: where in the stream that was
 */
struct stream {
	__u32 seed;
	__u64 base;
	__u64 next;
	bool gaps;
	void (*gap)(struct stream *st, __u64 from, __u64 to);
	void *arg;
	__u64 bytes;
	__u32 pieces;
	__u32 longest;
	__u32 events;
	__u32 flags;
	__u64 error;
	const char *bad;
	__u64 at;
};

static inline void stream_expect(struct stream *st, __u32 seed, __u64 base)
{
	memset(st, 0, sizeof(*st));
	st->seed = seed;
	st->base = base;
	st->next = base;
}

static inline void stream_wrong(struct stream *st, const char *what)
{
	if (!st->bad) {
		st->bad = what;
		st->at = st->next;
	}
}

static inline bool piece_is_whole(struct stream_queue *s, const struct piece *p)
{
	return pattern_is(s->area + p->offset, p->seed, p->pos, p->len);
}

/* Gives back the oldest piece, which must have stayed what it was. */
static inline bool release_one(struct stream_queue *s)
{
	struct piece *p = &s->held[s->first];
	bool ok = piece_is_whole(s, p);

	/* so that the next one there does not find it right by accident */
	memset(s->area + p->offset, 0xee, p->len);
	s->first = (s->first + 1) % MAX_HELD;
	s->nr--;
	release_to(s, p->end);
	return ok;
}

static inline bool release_all(struct stream_queue *s)
{
	bool ok = true;

	while (s->nr)
		ok = release_one(s) && ok;
	return ok;
}

/*
 * Where a record says that its bytes are: on a unit, inside the area, behind all
 * that was told before, not on what is not released.  NULL, or what is wrong.
 */
static inline const char *piece_of(struct stream_queue *s,
				   const struct ukevent *ev, struct piece *p)
{
	__u32 start, released = __atomic_load_n(s->release, __ATOMIC_RELAXED);

	p->offset = KEVENT_STREAM_OFFSET(ev->data[0]);
	p->len = KEVENT_STREAM_LENGTH(ev->data[0]);
	p->end = KEVENT_STREAM_RELEASE(ev->data[1]);
	if (!p->len || p->len > KEVENT_STREAM_MAX_MOST)
		return "length";
	if (p->offset % UNIT || p->offset >= s->size ||
	    p->len > s->size - p->offset)
		return "offset";
	start = p->end - (p->len + UNIT - 1) / UNIT;
	if (start - s->end >= s->size / UNIT || p->end == s->end)
		return "release index";
	if (p->end - released > s->size / UNIT)
		return "more than the area";
	return NULL;
}

/* A record; @st are the streams of cookies from 0 on. */
static inline void stream_record(struct stream_queue *s, struct stream *st,
				 unsigned int nr, const struct ukevent *ev)
{
	const char *wrong;
	struct piece p;
	__u64 pos;

	if (ev->cookie >= nr || ev->type != KEVENT_TYPE_STREAM) {
		stream_wrong(st, "a record of nobody");
		return;
	}
	st += ev->cookie;
	if (st->flags & KEVENT_REC_LAST)
		stream_wrong(st, "a record after the last");
	st->flags |= ev->flags;
	if (!(ev->events & ST_RECV)) {
		st->events |= ev->events;
		if (ev->events & ST_ERROR)
			st->error = ev->data[1];
		if (ev->data[0] || (ev->data[1] && !(ev->events & ST_ERROR)))
			stream_wrong(st, "data without RECV");
		if (!ev->events && !(ev->flags & KEVENT_REC_LAST))
			stream_wrong(st, "an empty record");
		return;
	}
	if (ev->events != ST_RECV)
		stream_wrong(st, "RECV with other events");
	if (st->events & (ST_RDHUP | ST_HUP | ST_ERROR))
		stream_wrong(st, "bytes after the end");
	wrong = piece_of(s, ev, &p);
	if (wrong) {
		stream_wrong(st, wrong);
		return;
	}
	s->end = p.end;
	/* the position is told modulo 2^32 */
	pos = st->next + (__u32)(KEVENT_STREAM_POSITION(ev->data[1]) -
				 (__u32)(st->next - st->base));
	if (pos != st->next && !st->gaps)
		stream_wrong(st, "position");
	else if (pos != st->next && st->gap)
		st->gap(st, st->next, pos);
	p.seed = st->seed;
	p.pos = pos;
	if (!piece_is_whole(s, &p))
		stream_wrong(st, "other bytes");
	st->next = pos + p.len;
	st->bytes += p.len;
	st->pieces++;
	if (p.len > st->longest)
		st->longest = p.len;
	s->held[(s->first + s->nr++) % MAX_HELD] = p;
	while (s->nr > s->hold)
		if (!release_one(s))
			stream_wrong(st, "changed while it was held");
}

/*
 * One turn of a program: takes what is there, without a call if it can, and gives
 * the bytes back after a while.  @ms: sleeps as long for a first record.
 */
static inline int stream_turn(struct stream_queue *s, struct stream *st,
			      unsigned int nr, unsigned int ms)
{
	struct ukevent ev[8];
	int i, n = ukevent_dequeue_batch(&s->q, ev, 8, 0);

	if (!n) {
		if (!release_all(s))
			stream_wrong(st, "changed while it was held");
		n = ukevent_dequeue_batch(&s->q, ev, 8, ms * NSEC_PER_MSEC);
	}
	for (i = 0; i < n; i++)
		stream_record(s, st, nr, &ev[i]);
	return n;
}

/* Takes records until @st was told up to byte @pos, or something was wrong. */
static inline int stream_reaches(struct stream_queue *s, struct stream *st,
				 unsigned int nr, struct stream *of, __u64 pos)
{
	while (of->next < pos && !of->bad)
		if (stream_turn(s, st, nr, TEST_LONG_MS) <= 0)
			return -ETIME;
	return of->bad || of->next > pos ? -EPROTO : 0;
}

/* ... until all of @events were told. */
static inline __u32 stream_events(struct stream_queue *s, struct stream *st,
				  unsigned int nr, struct stream *of, __u32 events)
{
	while ((of->events & events) != events && !of->bad)
		if (stream_turn(s, st, nr, TEST_LONG_MS) <= 0)
			break;
	return of->events;
}

/* Takes what is in the ring, without a call, and gives nothing back. */
static inline int stream_take(struct stream_queue *s, struct stream *st,
			      unsigned int nr)
{
	struct ukevent ev;
	int n = 0;

	while (s->nr < MAX_HELD - 1 && ukevent_take(&s->q, &ev, 1) == 1) {
		s->hold = s->nr + 1;
		stream_record(s, st, nr, &ev);
		n++;
	}
	return n;
}

/* Takes what is there or can be had at once. */
static inline int stream_now(struct stream_queue *s, struct stream *st,
			     unsigned int nr)
{
	int n, total = 0;

	do {
		flush_ring(&s->q);
		n = stream_turn(s, st, nr, 0);
		total += n > 0 ? n : 0;
	} while (n > 0);
	return n < 0 ? n : total;
}

static inline void check_stream(struct __test_metadata *_metadata, int line,
				const struct stream *st, __u64 next)
{
	if (!st->bad && st->next == next)
		return;
	TH_LOG("line %d: stream %u at byte %llu of %llu, %u pieces: %s at %llu",
	       line, st->seed, (unsigned long long)st->next,
	       (unsigned long long)next, st->pieces, st->bad ?: "as it should be",
	       (unsigned long long)st->at);
	_metadata->exit_code = KSFT_FAIL;
}

/* All was right up to byte @next, which is the next one to come. */
#define EXPECT_STREAM(st, next) check_stream(_metadata, __LINE__, st, next)

/* ---- senders ---- */

/* TCP or UNIX; nothing waits for an acknowledgement to be sent. */
static inline int stream_pair(struct source *s, int family)
{
	int ret = sock_pair(s, family, SOCK_STREAM), one = 1;

	if (!ret && family != AF_UNIX &&
	    (setsockopt(s->peer, SOL_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	     setsockopt(s->fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one))))
		ret = -errno;
	return ret;
}

/* Sends that piece of a pattern, all of it, or fails. */
static inline int send_pattern(int fd, __u32 seed, __u64 pos, size_t len)
{
	static __thread unsigned char buf[65536];
	size_t n;

	while (len) {
		n = len < sizeof(buf) ? len : sizeof(buf);
		pattern_fill(buf, seed, pos, n);
		if (send(fd, buf, n, MSG_NOSIGNAL) != (ssize_t)n)
			return -errno;
		pos += n;
		len -= n;
	}
	return 0;
}

/* Sends a pattern from @pos on until nothing goes out any more; how far. */
static inline __u64 fill_pattern(int fd, __u32 seed, __u64 pos)
{
	static __thread unsigned char buf[16384];
	ssize_t n;

	do {
		for (;;) {
			pattern_fill(buf, seed, pos, sizeof(buf));
			n = send(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n <= 0)
				break;
			pos += n;
		}
		wait_acked(fd);
	} while (is_ready(fd, POLLOUT, TEST_SHORT_MS) & POLLOUT);
	return pos;
}

/* Receives with the pattern checked, without waiting; bytes, or -EPROTO. */
static inline long recv_pattern(int fd, __u32 seed, __u64 pos, size_t max)
{
	static __thread unsigned char buf[65536];
	long total = 0;
	ssize_t n;

	while (max) {
		n = recv(fd, buf, max < sizeof(buf) ? max : sizeof(buf),
			 MSG_DONTWAIT);
		if (n <= 0)
			break;
		if (!pattern_is(buf, seed, pos + total, n))
			return -EPROTO;
		total += n;
		max -= n;
	}
	return total;
}

/* Receives that many, be it after a while. */
static inline long recv_pattern_all(int fd, __u32 seed, __u64 pos, size_t len)
{
	size_t total = 0;
	long n;

	while (total < len) {
		n = recv_pattern(fd, seed, pos + total, len - total);
		if (n < 0)
			return n;
		if (!n && !is_ready(fd, POLLIN, TEST_LONG_MS))
			break;
		total += n;
	}
	return total;
}

/**
 * struct sender - a thread that sends a pattern in writes of many sizes
 * @fd: to where
 * @seed: the pattern
 * @total: so many bytes, then it says by FIN that this was all
 * @max: bytes of a write at most
 * @no_fin: then it does not
 * @sent: bytes
 * @stop: set to have it end earlier
 * @error: 0 or what send() said
 * @thread: the thread
 */
struct sender {
	int fd;
	__u32 seed;
	__u64 total;
	__u32 max;
	bool no_fin;
	__u64 sent;
	int stop;
	int error;
	pthread_t thread;
};

static inline bool sender_stopped(struct sender *s)
{
	return __atomic_load_n(&s->stop, __ATOMIC_ACQUIRE);
}

static inline void *sender_main(void *arg)
{
	static __thread unsigned char buf[65536];
	struct sender *s = (struct sender *)arg;
	__u32 size, done, state = s->seed * 2 + 1;
	__u64 sent = 0;
	ssize_t n;

	while (sent < s->total && !sender_stopped(s)) {
		size = random_size(&state, s->max);
		if (size > s->total - sent)
			size = s->total - sent;
		pattern_fill(buf, s->seed, sent, size);
		for (done = 0; done < size && !sender_stopped(s); done += n) {
			n = send(s->fd, buf + done, size - done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n < 0 && errno != EAGAIN) {
				s->error = -errno;
				return NULL;
			}
			if (n < 0) {
				is_ready(s->fd, POLLOUT, 100);
				n = 0;
			}
			sent += n;
			__atomic_store_n(&s->sent, sent, __ATOMIC_RELEASE);
		}
	}
	if (!s->no_fin && shutdown(s->fd, SHUT_WR))
		s->error = -errno;
	return NULL;
}

static inline int sender_start(struct sender *s)
{
	return -pthread_create(&s->thread, NULL, sender_main, s);
}

/* Has it end, and waits for that; what it sent is in @sent then. */
static inline int sender_stop(struct sender *s)
{
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
	return s->error;
}

/* Bytes that wait in a socket. */
static inline int unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) ? -errno : n;
}

/* Bytes that the other side has not got yet. */
static inline int unsent(int fd)
{
	int n = 0;

	return ioctl(fd, TIOCOUTQ, &n) ? -errno : n;
}

/*
 * Of tests whose fixture has a stream_queue s and a stream st of cookie 0, the
 * descriptor peer where it comes from, and that count what they sent in "sent".
 */
#define SEND(len) \
do { \
	ASSERT_EQ(0, send_pattern(self->peer, 1, sent, len)); \
	sent += (len); \
} while (0)
#define REACHES(pos) stream_reaches(&self->s, &self->st, 1, &self->st, pos)
#define EVENTS(events) stream_events(&self->s, &self->st, 1, &self->st, events)
#define NOW() stream_now(&self->s, &self->st, 1)
#define TAKE() stream_take(&self->s, &self->st, 1)

/* ---- kevent_send() ---- */

static inline int call_send(int kfd, struct kevent_send *sends, __u32 nr,
			    __u32 min_nr, struct kevent_wait_args *args,
			    size_t size)
{
	long ret = syscall(__NR_kevent_send, kfd, sends, nr, min_nr, args, size);

	return ret < 0 ? -errno : ret;
}

static inline struct kevent_send make_send(int fd, const void *from, __u32 len)
{
	struct kevent_send s;

	memset(&s, 0, sizeof(s));
	s.addr = (unsigned long)from;
	s.fd = fd;
	s.len = len;
	s.result = 12345;
	return s;
}

#endif /* KEVENT_STREAM_TEST_H */
