// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * http-server - HTTP/1.1 for static files on kevent queues
 *
 * One queue and one set of connections per thread; threads share nothing but
 * the listening socket and the root directory.
 *
 * What a server author may want to copy:
 *
 * - All queues watch one listener, with KEVENT_EXCLUSIVE: a connection wakes one
 *   thread that sleeps.  Each accepts few per turn, to share bursts.
 * - A socket is registered once, in edge mode and for both directions; never
 *   modified, never removed.  Sockets accepted together are registered in one
 *   call, which publishes their first records: to leave that to the next wait
 *   would save nothing, as with these in the ring it does not enter the kernel.
 * - A record only says which directions are worth trying.  They are tried
 *   until the socket says EAGAIN, but never longer than a fair turn: what is
 *   left is kept on a list of ready connections, and the queue is looked at
 *   without sleeping in between.
 * - close() ends the interest.  The connection is freed when the record with
 *   KEVENT_REC_LAST comes, as older ones may still lie in the ring.
 * - Time limits need not be exact and are nearly always put off: one timer per
 *   thread ticks each second while there are connections, and these are on a
 *   list in the order of deadlines, as one limit is for all.  A request costs
 *   a move within that list; no clock is read and no sleep has a timeout.  A
 *   timer per connection would cost its memory and a call to set it again.
 * - A signal handler triggers a user event in each queue.  The first signal has
 *   all requests finished, a second one ends them.
 *
 * With --stream the kernel receives, and sends what was answered in a turn together:
 *
 * - A request is parsed where the kernel has put it, in the data area, where writing
 *   is allowed as well.  What is not complete, or cannot be answered now, is copied:
 *   the area is everybody's.  Whoever has so much of that that it does not fit the
 *   buffer is received from no more until it does.
 * - An answer stays in its buffer until the next turn has sent it.  Whatever must come
 *   after it - the rest of a file, shutdown(), close() - waits for that turn.
 * - Nobody waits for the bytes of a file.  A small one leaves with the turn, behind its
 *   head, as far as it is cached.  What is not, and large ones, an interest sends, as
 *   they are read and as the client takes them, with the head before them; one record
 *   tells the end, and answers behind them go out after that.  The connection is freed
 *   when both its interests have told that they are over.
 * - If the kernel does not send files, or not those of that file system, sendfile() does,
 *   and waits for the disk.
 *
 * /live.html shows what is counted on the way, see live.c: who looks is a client that
 * is answered without end, by /live/events, as often as a timer of that thread expires.
 * POST /live/load starts a child that asks for this and that, see load.c; its end is a
 * record like any other.  SIGUSR1, ignored, is another: the counters are printed.
 *
 * Requests may be pipelined: all that was read is answered into one buffer,
 * which is sent before more is answered.  A client that does not read is thus
 * not read from, and the limit closes it in the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "load.h"
#include "ukevent_data.h"

#define IN_SIZE		8192		/* longest request head */
#define OUT_SIZE	16384
#define HEAD_ROOM	4096		/* room for any head we send */
#define MAX_TARGET	2048		/* longest request target */
#define MAX_BODY	1048576		/* longest request body, skipped */
#define FILE_CHUNK	131072		/* most of a file sent at once */
#define SMALL_FILE	65536		/* most of a file sent without an interest */
#define BODIES		8		/* files of answers that are under way */
#define ROUNDS		4		/* of read and write in one turn */
#define BATCH		64		/* records taken at once */
#define ACCEPTS		8		/* connections taken at once */
#define PROGRESS	16384		/* bytes that earn a new deadline */
#define PIECE		4096		/* received in one record; less than IN_SIZE */
#define SHARE		16384		/* and not released, per connection */
#define TICK		1000000000ULL	/* ns, the unit of time limits */
#define LIVE_TICK	250000000ULL	/* ns, from event to event of /live/events */

/* The timers, told apart by their cookies, and the user event in each queue. */
#define NUMBER_TICK	0
#define NUMBER_LIVE	1
#define NUMBER_STOP	0
#define COOKIE_LISTENER	0		/* others are connections */

/**
 * struct body - part of a file that is sent after out[..at)
 * @fd: the file
 * @pos, @end: the part
 * @at: what goes before it
 * @large: not sent by the array, or not any more
 * @by_hand: by sendfile(), as it cannot be otherwise
 */
struct body {
	int		fd;
	off_t		pos, end;
	size_t		at;
	bool		large;
	bool		by_hand;
};

struct conn {
	TAILQ_ENTRY(conn)	ready;
	TAILQ_ENTRY(conn)	timed;
	TAILQ_ENTRY(conn)	flies;
	TAILQ_ENTRY(conn)	looks;
	__u64			deadline;	/* in ticks */
	__u64			moved;		/* bytes since it was set */
	int			fd;		/* -1: closed, wait for LAST */
	unsigned int		refs;		/* interests, freed after them */
	unsigned int		nr_bodies;	/* to be sent, first one first */
	unsigned int		flying;		/* of which the next turn sends these */
	struct body		body[BODIES];
	size_t			out_before;	/* out[before..pos) is in the ADD */
	__u64			told;		/* progress of the interest */
	__u64			skip;		/* request body still to come */
	size_t			in_pos, in_end;	/* not parsed: in[pos..end) */
	size_t			scanned;	/* of that, in complete lines */
	size_t			out_pos, out_end;
	__u64			flight;		/* turn after which out[..pos) is sent */
	char			*late;		/* what came when in[] was full ... */
	size_t			late_pos, late_end, late_size;	/* ... to be read */
	char			*in;		/* buf, or a record's bytes */
	bool			is_ready;
	bool			is_flying;	/* files leave with the next turn */
	bool			readable, writable;	/* worth trying */
	bool			hangup;		/* the end of input is near */
	bool			eof;		/* ... and was read */
	bool			failed;		/* a send was refused for good */
	bool			closing;	/* answer no more requests */
	bool			lingering;	/* all sent, wait for the client */
	bool			served;		/* had an answer */
	bool			sending;	/* an interest sends body[0] */
	bool			unsent;		/* some of what was gathered */
	bool			looking;	/* gets events until it goes */
	char			buf[IN_SIZE];
	char			out[OUT_SIZE];
};

TAILQ_HEAD(conn_list, conn);

struct worker {
	struct ukevent_queue	queue;
	struct ukevent_io	io;		/* with --stream */
	__u64			turn;
	pthread_t		thread;
	bool			files;		/* the queue sends files */
	bool			stopping;	/* finish what was begun */
	bool			accept;		/* the listener is worth trying */
	bool			accept_later;	/* accept() is out of resources */
	bool			ticking;	/* a tick is to come */
	bool			live_ticking;
	__u64			ticks;
	unsigned int		nr_conns;	/* until freed */
	int			load;		/* pidfd of the child, -1 for none */
	struct live		live;
	struct conn_list	ready;
	struct conn_list	flying;		/* whose files a turn sends */
	struct conn_list	looking;
	struct conn_list	timed;		/* all open ones, by deadline */
	time_t			date_of;
	char			date[32];
};

struct request {
	char			*method, *target;
	bool			head, http11, keep_alive, no_keep_alive;
	bool			has_host, has_length, chunked, expect;
	__u64			length;
};

static int root_fd;
static int listener;
static const char *listen_addr = "0.0.0.0";
static int listen_port = 8080;
static int time_limit = 15;
static int nr_workers = 1;
static bool streams;
static bool loading;		/* a child of one of them; atomic */
static struct worker *workers;

static void die(const char *what, int err)
{
	fprintf(stderr, "http-server: %s: %s\n", what, strerror(err));
	exit(1);
}

/*
 * Parsing a request head.  Functions return 0 or the status to answer with.
 */

static bool is_token(const char *s)
{
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) &&
		    !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	}
	return true;
}

/* Cut the line off the text at *p; there is at least one. */
static char *next_line(char **p)
{
	char *line = *p;
	char *nl = strchr(line, '\n');

	*p = nl + 1;
	if (nl > line && nl[-1] == '\r')
		nl--;
	*nl = '\0';
	return line;
}

static int parse_request_line(char *line, struct request *rq)
{
	char *version, *p;

	rq->method = line;
	rq->target = strchr(line, ' ');
	if (!rq->target)
		return 400;
	*rq->target++ = '\0';
	version = strchr(rq->target, ' ');
	if (!version)
		return 400;
	*version++ = '\0';
	if (!*rq->method || !is_token(rq->method) || !*rq->target)
		return 400;
	if (strlen(version) != 8 || strncmp(version, "HTTP/", 5) ||
	    !isdigit((unsigned char)version[5]) || version[6] != '.' ||
	    !isdigit((unsigned char)version[7]))
		return 400;
	if (version[5] != '1')
		return 505;
	rq->http11 = version[7] != '0';
	rq->keep_alive = rq->http11;
	rq->head = !strcmp(rq->method, "HEAD");
	if (strlen(rq->target) > MAX_TARGET)
		return 414;
	for (p = rq->target; *p; p++) {
		if (*p <= ' ' || *p > '~')
			return 400;
	}
	return 0;
}

static int parse_length(const char *value, struct request *rq)
{
	size_t digits = strspn(value, "0123456789");
	__u64 length;

	if (!digits || value[digits])
		return 400;
	if (digits > 18)
		return 413;
	length = strtoull(value, NULL, 10);
	if (rq->has_length && rq->length != length)
		return 400;
	rq->has_length = true;
	rq->length = length;
	return 0;
}

static void parse_connection(char *value, struct request *rq)
{
	char *save, *token = strtok_r(value, ", \t", &save);

	for (; token; token = strtok_r(NULL, ", \t", &save)) {
		if (!strcasecmp(token, "close"))
			rq->no_keep_alive = true;
		else if (!strcasecmp(token, "keep-alive"))
			rq->keep_alive = true;
	}
}

static int parse_field(char *line, struct request *rq)
{
	char *value = strchr(line, ':');
	char *end;

	if (!value)
		return 400;
	*value++ = '\0';
	if (!*line || !is_token(line))
		return 400;
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value; end--) {
		if (end[-1] != ' ' && end[-1] != '\t')
			break;
	}
	*end = '\0';
	for (end = value; *end; end++) {
		if (iscntrl((unsigned char)*end) && *end != '\t')
			return 400;
	}

	if (!strcasecmp(line, "Host")) {
		if (rq->has_host)
			return 400;
		rq->has_host = true;
	} else if (!strcasecmp(line, "Content-Length")) {
		return parse_length(value, rq);
	} else if (!strcasecmp(line, "Transfer-Encoding")) {
		rq->chunked = true;
	} else if (!strcasecmp(line, "Connection")) {
		parse_connection(value, rq);
	} else if (!strcasecmp(line, "Expect")) {
		rq->expect = true;
	}
	return 0;
}

static int parse_head(char *text, size_t len, struct request *rq)
{
	char *line;
	int status;

	if (memchr(text, '\0', len))
		return 400;
	status = parse_request_line(next_line(&text), rq);
	if (status)
		return status;
	while (*(line = next_line(&text))) {
		status = parse_field(line, rq);
		if (status)
			return status;
	}
	if (rq->http11 && !rq->has_host)
		return 400;
	if (rq->chunked)	/* with a length as well: smuggling */
		return rq->has_length || !rq->http11 ? 400 : 501;
	if (rq->length > MAX_BODY)
		return 413;
	if (rq->no_keep_alive || (rq->expect && rq->length))
		rq->keep_alive = false;
	return 0;
}

/*
 * Find the end of the request head in the input, skipping empty lines before
 * it.  Returns its length, 0 if it is not complete.
 */
static size_t head_length(struct conn *c)
{
	char *line, *nl;

	for (;;) {
		line = c->in + c->in_pos + c->scanned;
		nl = memchr(line, '\n', c->in + c->in_end - line);
		if (!nl)
			return 0;
		c->scanned += nl + 1 - line;
		if (nl > line + 1 || (nl == line + 1 && *line != '\r'))
			continue;
		if (c->scanned > (size_t)(nl + 1 - line))
			return c->scanned;
		c->in_pos += c->scanned;
		c->scanned = 0;
	}
}

/*
 * Answering.
 */

static const char *reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 202: return "Accepted";
	case 301: return "Moved Permanently";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 409: return "Conflict";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 431: return "Request Header Fields Too Large";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default:  return "Internal Server Error";
	}
}

static const char *content_type(const char *path)
{
	static const char * const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		{ ".ico", "image/x-icon" },
		{ NULL, "application/octet-stream" },
	};
	const char *dot = strrchr(path, '.');
	int i;

	for (i = 0; types[i][0]; i++) {
		if (dot && !strcasecmp(dot, types[i][0]))
			break;
	}
	return types[i][1];
}

static void http_date(time_t t, char *buf, size_t size)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(buf, size, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* @more: further fields, of which one says how long it is. */
static void put_fields(struct worker *w, struct conn *c, int status,
		       const char *type, const char *more)
{
	time_t now = time(NULL);

	if (now != w->date_of) {
		w->date_of = now;
		http_date(now, w->date, sizeof(w->date));
	}
	c->out_end += snprintf(c->out + c->out_end, HEAD_ROOM,
			       "HTTP/1.1 %d %s\r\n"
			       "Server: http-server (worker %d of %d%s)\r\n"
			       "Date: %s\r\n"
			       "Content-Type: %s\r\n"
			       "%s\r\n",
			       status, reason(status),
			       (int)(w - workers) + 1, nr_workers,
			       w->files ? ", stream, files" :
			       streams ? ", stream" : "", w->date, type, more);
}

static void put_head(struct worker *w, struct conn *c,
		     const struct request *rq, int status, const char *type,
		     __u64 length, const char *more)
{
	char fields[MAX_TARGET + 128];
	const char *connection = "";

	if (!rq->keep_alive)
		connection = "Connection: close\r\n";
	else if (!rq->http11)
		connection = "Connection: keep-alive\r\n";
	snprintf(fields, sizeof(fields), "Content-Length: %llu\r\n%s%s", length,
		 connection, more);
	put_fields(w, c, status, type, fields);
}

static void answer_error(struct worker *w, struct conn *c,
			 const struct request *rq, int status,
			 const char *more)
{
	char body[64];
	int len = snprintf(body, sizeof(body), "%d %s\n", status,
			   reason(status));

	put_head(w, c, rq, status, "text/plain", len, more);
	if (!rq->head) {
		memcpy(c->out + c->out_end, body, len);
		c->out_end += len;
	}
}

/* The path of a request target, decoded and relative to the root directory. */
static int target_path(char *target, char *path)
{
	static const char hex[] = "0123456789abcdef";
	const char *hi, *lo;
	char *from = target;

	if (*from != '/')
		return 400;
	from += strspn(from, "/");
	while (*from) {
		if (*from != '%') {
			*path++ = *from++;
			continue;
		}
		hi = from[1] ? strchr(hex, tolower(from[1])) : NULL;
		lo = hi && from[2] ? strchr(hex, tolower(from[2])) : NULL;
		if (!lo || (hi == hex && lo == hex))
			return 400;
		*path++ = (hi - hex) << 4 | (lo - hex);
		from += 3;
	}
	*path = '\0';
	return 0;
}

/* Open below the root and nowhere else, whatever dots and links are there. */
static int open_below(const char *path, struct stat *st)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd, err;

	fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	if (!fstat(fd, st))
		return fd;
	err = errno;
	close(fd);
	return -err;
}

static int open_status(int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return 403;
	case ENOENT:
	case ENOTDIR:
	case EXDEV:
	case ELOOP:
	case ENAMETOOLONG:
	case ENXIO:
		return 404;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
		return 503;
	default:
		return 500;
	}
}

/*
 * Send a file.  A small one that would have to be read goes through the buffer; the
 * others by the kernel.
 */
static void answer_file(struct worker *w, struct conn *c, struct request *rq,
			int fd, const struct stat *st, const char *type)
{
	char date[32], more[64];
	struct body *body;
	ssize_t n = 0;

	http_date(st->st_mtime, date, sizeof(date));
	snprintf(more, sizeof(more), "Last-Modified: %s\r\n", date);
	put_head(w, c, rq, 200, type, st->st_size, more);
	if (rq->head || !st->st_size) {
		close(fd);
	} else if (!w->files && (size_t)st->st_size <= OUT_SIZE - c->out_end) {
		n = pread(fd, c->out + c->out_end, st->st_size, 0);
		if (n > 0)
			c->out_end += n;
		if (n != st->st_size)	/* shrunk: too late for an error */
			c->closing = true;
		close(fd);
	} else {
		body = &c->body[c->nr_bodies++];
		*body = (struct body) {
			.fd = fd, .end = st->st_size, .at = c->out_end,
			.large = !w->files || st->st_size > SMALL_FILE,
			.by_hand = !w->files,
		};
	}
}

/* Another answer fits in; what follows a large file waits for its end. */
static bool may_answer(const struct conn *c)
{
	return OUT_SIZE - c->out_end >= HEAD_ROOM && c->nr_bodies < BODIES &&
	       (!c->nr_bodies || !c->body[c->nr_bodies - 1].large);
}

/* The timer is there while somebody looks. */
static void worker_start_live(struct worker *w)
{
	if (!w->live_ticking)
		w->live_ticking = !ukevent_set_timer(&w->queue, KEVENT_OP_ADD,
						     NUMBER_LIVE, LIVE_TICK,
						     LIVE_TICK, CLOCK_MONOTONIC,
						     0, NUMBER_LIVE);
}

static void worker_stop_live(struct worker *w)
{
	if (w->live_ticking)
		ukevent_op(&w->queue, KEVENT_OP_REMOVE, KEVENT_TYPE_TIMER, NUMBER_LIVE);
	w->live_ticking = false;
}

/* An event, if the client has taken the earlier ones. */
static void put_event(struct conn *c)
{
	if (OUT_SIZE - c->out_end >= LIVE_EVENT)
		c->out_end += live_event(c->out + c->out_end,
					 __atomic_load_n(&loading, __ATOMIC_RELAXED));
}

/* The answer that does not end. */
static void answer_events(struct worker *w, struct conn *c, struct request *rq)
{
	if (w->stopping || rq->head || strcmp(rq->method, "GET")) {
		answer_error(w, c, rq, w->stopping ? 503 : 405, "Allow: GET\r\n");
		return;
	}
	put_fields(w, c, 200, "text/event-stream",
		   "Cache-Control: no-store\r\nConnection: close\r\n");
	put_event(c);
	rq->keep_alive = true;
	c->looking = true;
	TAILQ_INSERT_TAIL(&w->looking, c, looks);
	worker_start_live(w);
}

/* One load at a time, which this thread is told the end of. */
static void answer_load(struct worker *w, struct conn *c, const struct request *rq)
{
	struct kevent_change e;

	if (strcmp(rq->method, "POST")) {
		answer_error(w, c, rq, 405, "Allow: POST\r\n");
		return;
	}
	if (w->stopping || __atomic_exchange_n(&loading, true, __ATOMIC_RELAXED)) {
		answer_error(w, c, rq, 409, "");
		return;
	}
	w->load = load_start(listen_addr, listen_port);
	if (w->load >= 0) {
		ukevent_prep_process(&e, KEVENT_OP_ADD, w->load, 0, 0);
		if (sys_kevent_ctl(w->queue.fd, &e, 1, sizeof(e), 0) == 1 && !e.result) {
			answer_error(w, c, rq, 202, "");
			return;
		}
		/* It ends by itself: for that nobody waits here. */
		close(w->load);
		w->load = -1;
	}
	__atomic_store_n(&loading, false, __ATOMIC_RELAXED);
	answer_error(w, c, rq, 503, "");
}

static void answer_target(struct worker *w, struct conn *c,
			  struct request *rq)
{
	char path[MAX_TARGET + sizeof("index.html")];
	char more[MAX_TARGET + 32];
	char *target = rq->target;
	struct stat st;
	size_t len;
	int status, fd;

	if (!strcmp(target, "/live/events")) {
		answer_events(w, c, rq);
		return;
	}
	if (!strcmp(target, "/live/load")) {
		answer_load(w, c, rq);
		return;
	}
	if (!rq->head && strcmp(rq->method, "GET")) {
		answer_error(w, c, rq, 405, "Allow: GET, HEAD\r\n");
		return;
	}
	if (!strncasecmp(target, "http://", 7)) {	/* absolute form */
		target += 7;
		target += strcspn(target, "/?#");
		if (*target != '/')
			*--target = '/';
	}
	target[strcspn(target, "?#")] = '\0';
	status = target_path(target, path);
	if (status) {
		answer_error(w, c, rq, status, "");
		return;
	}
	len = strlen(path);
	if (!len || path[len - 1] == '/')
		memcpy(path + len, "index.html", sizeof("index.html"));

	fd = open_below(path, &st);
	if (fd < 0) {
		answer_error(w, c, rq, open_status(-fd), "");
		return;
	}
	if (S_ISREG(st.st_mode)) {
		answer_file(w, c, rq, fd, &st, content_type(path));
		return;
	}
	close(fd);
	if (S_ISDIR(st.st_mode)) {
		target += strspn(target, "/") - 1;
		snprintf(more, sizeof(more), "Location: %s/\r\n", target);
		answer_error(w, c, rq, 301, more);
	} else {
		answer_error(w, c, rq, 404, "");
	}
}

/*
 * Connections.
 */

/*
 * A new deadline: the latest of all, as the limit is the same for all.  The
 * running tick does not count.  Nobody may put off the end of a server that
 * stops.
 */
static void conn_set_deadline(struct worker *w, struct conn *c)
{
	if (w->stopping)
		return;
	c->deadline = w->ticks + time_limit + 1;
	c->moved = 0;
	TAILQ_REMOVE(&w->timed, c, timed);
	TAILQ_INSERT_TAIL(&w->timed, c, timed);
}

static void conn_moved(struct worker *w, struct conn *c, size_t n)
{
	c->moved += n;
	if (c->moved >= PROGRESS)
		conn_set_deadline(w, c);
}

static void conn_ready(struct worker *w, struct conn *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	TAILQ_INSERT_TAIL(&w->ready, c, ready);
}

static void conn_unready(struct worker *w, struct conn *c)
{
	if (!c->is_ready)
		return;
	c->is_ready = false;
	TAILQ_REMOVE(&w->ready, c, ready);
}

static void conn_fly(struct worker *w, struct conn *c)
{
	if (c->is_flying)
		return;
	c->is_flying = true;
	TAILQ_INSERT_TAIL(&w->flying, c, flies);
}

static void conn_unfly(struct worker *w, struct conn *c)
{
	if (!c->is_flying)
		return;
	c->is_flying = false;
	TAILQ_REMOVE(&w->flying, c, flies);
}

static struct conn *conn_new(struct worker *w, int fd)
{
	struct conn *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	memset(c, 0, offsetof(struct conn, buf));
	c->fd = fd;
	c->in = c->buf;
	c->writable = streams;
	c->refs = 1;
	c->deadline = w->ticks + time_limit + 1;
	TAILQ_INSERT_TAIL(&w->timed, c, timed);
	w->nr_conns++;
	live_add(&w->live.conns, 1);
	return c;
}

/* The first @nr files are sent, or never will be: nothing gathered names them. */
static void conn_drop_bodies(struct conn *c, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		close(c->body[i].fd);
	c->nr_bodies -= nr;
	memmove(c->body, c->body + nr, c->nr_bodies * sizeof(c->body[0]));
}

/* The interests end here, the memory lives on until LAST. */
static void conn_close(struct worker *w, struct conn *c)
{
	int fd = c->fd;

	conn_unready(w, c);
	conn_unfly(w, c);
	if (c->looking)
		TAILQ_REMOVE(&w->looking, c, looks);
	TAILQ_REMOVE(&w->timed, c, timed);
	live_add(&w->live.conns, -1);
	c->fd = -1;		/* what is told from now on is too late */
	if (streams)
		ukevent_io_close(&w->io, fd);
	else
		close(fd);
	conn_drop_bodies(c, c->nr_bodies);
	if (w->accept_later)
		w->accept = true;	/* there is a descriptor now */
}

/* One of its interests is over. */
static void conn_put(struct worker *w, struct conn *c)
{
	if (--c->refs)
		return;
	free(c->late);
	free(c);
	w->nr_conns--;
}

/*
 * Connections whose bytes come with the records.
 */

static void conn_change(struct conn *c, struct kevent_change *e, unsigned int op,
			__u32 events)
{
	ukevent_prep_stream(e, op, c->fd,
			    events | KEVENT_STREAM_SEND | KEVENT_STREAM_RDHUP,
			    KEVENT_EDGE | KEVENT_WANT_LAST, (uintptr_t)c);
	ukevent_stream_limits(e, 0, PIECE, SHARE);
}

/* It came when the buffer was full: nothing more comes until that is read. */
static bool conn_keep_late(struct worker *w, struct conn *c, const char *bytes,
			   size_t len)
{
	size_t size = c->late_size ? c->late_size : IN_SIZE;
	char *late = c->late;

	while (size < c->late_end + len)
		size *= 2;
	if (size != c->late_size)
		late = realloc(late, size);
	if (!late)
		return false;
	if (!c->late_end)
		conn_change(c, ukevent_next(&w->io.loop), KEVENT_OP_MODIFY, 0);
	c->late = late;
	c->late_size = size;
	memcpy(late + c->late_end, bytes, len);
	c->late_end += len;
	return true;
}

/* Copy what cannot be answered now. */
static bool conn_keep(struct worker *w, struct conn *c, const char *bytes,
		      size_t len)
{
	size_t n;

	if (!c->late_end) {
		if (c->in_pos && len > IN_SIZE - c->in_end) {
			memmove(c->in, c->in + c->in_pos, c->in_end - c->in_pos);
			c->in_end -= c->in_pos;
			c->in_pos = 0;
		}
		n = len < IN_SIZE - c->in_end ? len : IN_SIZE - c->in_end;
		memcpy(c->in + c->in_end, bytes, n);
		c->in_end += n;
		bytes += n;
		len -= n;
	}
	return !len || conn_keep_late(w, c, bytes, len);
}

/* In place of recv(): what came and did not fit, then the end. */
static int conn_read_late(struct worker *w, struct conn *c)
{
	size_t len = c->late_end - c->late_pos, room = IN_SIZE - c->in_end;

	if (!len) {
		if (!c->hangup || c->eof)
			return 0;
		c->eof = true;
		return 1;
	}
	if (!room)
		return 0;
	if (len > room)
		len = room;
	memcpy(c->in + c->in_end, c->late + c->late_pos, len);
	c->in_end += len;
	c->late_pos += len;
	if (c->late_pos == c->late_end) {
		free(c->late);
		c->late = NULL;
		c->late_pos = 0;
		c->late_end = 0;
		c->late_size = 0;
		conn_change(c, ukevent_next(&w->io.loop), KEVENT_OP_MODIFY,
			    KEVENT_STREAM_RECV);
	}
	return 1;
}

/* It is under way when this returns; or will be told to have failed, in the turn. */
static void conn_send(struct worker *w, struct conn *c, size_t end, bool more)
{
	const char *from = c->out + c->out_pos;
	size_t len = end - c->out_pos;

	if (!len)
		return;
	conn_moved(w, c, len);
	live_add(&w->live.sent, len);
	c->out_pos = end;
	c->flight = w->turn;
	ukevent_io_send(&w->io, c->fd, from, len, more ? KEVENT_SEND_MORE : 0,
			(uintptr_t)c);
}

/* Likewise a small file, or what the client had no room for of it. */
static void conn_send_body(struct worker *w, struct conn *c, const struct body *body)
{
	size_t len = body->end - body->pos;

	conn_moved(w, c, len);
	live_add(&w->live.files, len);
	c->flying++;
	c->flight = w->turn;
	conn_fly(w, c);
	ukevent_io_send_file(&w->io, c->fd, body->fd, body->pos, len, 0, (uintptr_t)c);
}

/* All of what is to be sent that can leave with the turn. */
static void conn_send_all(struct worker *w, struct conn *c)
{
	struct body *body;

	/* When the array is full it is sent at once. */
	c->unsent = false;
	while (c->flying < c->nr_bodies) {
		body = &c->body[c->flying];
		conn_send(w, c, body->at, true);
		if (c->unsent || body->large)
			return;
		conn_send_body(w, c, body);
		if (c->unsent)
			return;
	}
	conn_send(w, c, c->out_end, false);
}

/* An interest sends body[0] and what goes before it, when the next turn begins. */
static void conn_start_sending(struct worker *w, struct conn *c)
{
	struct kevent_change *e = ukevent_next(&w->io.loop);
	const struct body *body = c->body;

	ukevent_prep_sendfile(e, c->fd, body->fd, body->pos, body->end - body->pos,
			      KEVENT_WANT_LAST, (uintptr_t)c);
	ukevent_sendfile_header(e, c->out + c->out_pos, body->at - c->out_pos);
	ukevent_sendfile_mark(e, PROGRESS);
	c->out_before = c->out_pos;
	c->out_pos = body->at;
	c->told = 0;
	c->sending = true;
	c->refs++;
}

/* body[0] is sent, and all before it. */
static void conn_sent_body(struct conn *c)
{
	conn_drop_bodies(c, 1);
	if (c->out_pos == c->out_end && !c->flight) {
		c->out_pos = 0;
		c->out_end = 0;
	}
}

/* Told by the turn for each send that was not done in full, in their order. */
static void conn_unsent(struct ukevent_io *io, const struct kevent_send *send,
			uint64_t cookie)
{
	struct conn *c = (struct conn *)(uintptr_t)cookie;
	const bool file = ukevent_is_file(send);
	struct worker *w = io->loop.data;
	const char *rest;
	uint64_t offset;
	uint32_t len;
	unsigned int i;
	int err;

	err = file ? ukevent_unsent_file(send, &offset, &len) :
		     ukevent_unsent(send, &rest, &len);
	live_add(file ? &w->live.files : &w->live.sent, -(uint64_t)len);
	if (c->fd < 0)
		return;
	c->unsent = true;
	if (file) {
		for (i = 0; c->body[i].fd != send->file_fd; i++)
			;
		c->body[i].pos = offset;
		/* An interest knows why it is short, and goes on when it can. */
		if (send->result != -ECANCELED) {
			c->body[i].large = true;
			conn_ready(w, c);
		}
		if (c->flying > i)
			c->flying = i;
	} else {
		if (send->result != -ECANCELED)
			c->writable = false;
		if (c->out_pos > (size_t)(rest - c->out))
			c->out_pos = rest - c->out;
	}
	if (err) {
		c->failed = true;
		conn_ready(w, c);
	}
}

/* No room for it, or not a file that the kernel sends: if it is the latter, by hand. */
static void conn_not_sending(struct worker *w, struct conn *c)
{
	c->refs--;
	c->sending = false;
	c->out_pos = c->out_before;
	if (c->fd < 0)
		return;
	c->body[0].by_hand = true;
	conn_ready(w, c);
}

static void conn_change_failed(struct ukevent_loop *loop,
			       const struct kevent_change *change)
{
	struct conn *c = (struct conn *)(uintptr_t)change->cookie;

	if (change->type == KEVENT_TYPE_SENDFILE) {
		conn_not_sending(loop->data, c);
		return;
	}
	if (c->fd < 0)
		return;
	c->failed = true;
	conn_ready(loop->data, c);
}

/* What was gathered in an earlier turn is sent, or its rest is at out_pos. */
static void conn_land(struct worker *w, struct conn *c)
{
	unsigned int i;

	if (!c->flight || c->flight == w->turn)
		return;
	c->flight = 0;
	conn_unfly(w, c);
	conn_drop_bodies(c, c->flying);
	c->flying = 0;
	if (c->out_pos == c->out_end) {
		c->out_pos = 0;
		c->out_end = 0;
		/* The files that are left have nothing before them. */
		for (i = 0; i < c->nr_bodies; i++)
			c->body[i].at = 0;
	}
}

/* Is there something to be done as soon as what is under way has been sent? */
static bool conn_waits(const struct worker *w, const struct conn *c)
{
	return c->flight && (c->eof || c->closing || w->stopping || !may_answer(c));
}

/*
 * The steps of a turn: read, answer, write.  They return 1 if something moved,
 * 0 if nothing can now, -1 if the connection is dead.
 */

static int conn_read(struct worker *w, struct conn *c)
{
	size_t len = c->in_end - c->in_pos;
	ssize_t n;

	if (!len) {
		c->in = c->buf;
		c->in_pos = 0;
		c->in_end = 0;
	} else if (c->in_end == IN_SIZE && c->in_pos) {
		memmove(c->in, c->in + c->in_pos, len);
		c->in_pos = 0;
		c->in_end = len;
	}
	if (streams)
		return conn_read_late(w, c);
	if (!c->readable || c->eof || c->in_end == IN_SIZE)
		return 0;
	n = recv(c->fd, c->in + c->in_end, IN_SIZE - c->in_end, 0);
	if (n < 0) {
		if (errno == EINTR)
			return 1;
		if (errno != EAGAIN)
			return -1;
		c->readable = false;
		return 0;
	}
	c->in_end += n;
	live_add(&w->live.received, n);
	if (!n)
		c->eof = true;
	else if (c->in_end < IN_SIZE && !c->hangup)
		c->readable = false;	/* short: as good as EAGAIN */
	return 1;
}

static void conn_answer_one(struct worker *w, struct conn *c, size_t len)
{
	struct request rq = {};
	int status;

	if (len)
		status = parse_head(c->in + c->in_pos, len, &rq);
	else			/* buffer full, and not even one line in it */
		status = c->scanned ? 431 : 414;
	if (status || w->stopping)
		rq.keep_alive = false;
	if (status)
		answer_error(w, c, &rq, status, "");
	else
		answer_target(w, c, &rq);
	if (!rq.keep_alive)
		c->closing = true;
	c->served = true;
	live_add(&w->live.answers, 1);
	c->in_pos += len;
	c->scanned = 0;
	c->skip = rq.length;
	conn_set_deadline(w, c);
}

static int conn_answer(struct worker *w, struct conn *c)
{
	size_t before = c->in_pos;
	size_t len;

	for (;;) {
		if (c->closing || c->looking)
			c->in_pos = c->in_end;
		len = c->in_end - c->in_pos;
		if (c->skip && len) {
			len = len < c->skip ? len : c->skip;
			c->skip -= len;
			c->in_pos += len;
			conn_moved(w, c, len);
		}
		if (!may_answer(c))
			break;
		len = head_length(c);
		if (!len && c->in_end - c->in_pos < IN_SIZE)
			break;
		conn_answer_one(w, c, len);
	}
	return c->in_pos != before;
}

/* A large file by sendfile(), when all before it is out. */
static int conn_write_body(struct worker *w, struct conn *c)
{
	struct body *body = c->body;
	size_t len = body->end - body->pos;
	ssize_t n;

	n = sendfile(c->fd, body->fd, &body->pos, len < FILE_CHUNK ? len : FILE_CHUNK);
	if (!n)			/* shrunk under our hands */
		return -1;
	if (n < 0) {
		if (errno == EINTR)
			return 1;
		if (errno != EAGAIN)
			return -1;
		c->writable = false;
		return 0;
	}
	conn_moved(w, c, n);
	live_add(&w->live.files, n);
	if (body->pos == body->end)
		conn_sent_body(c);
	return 1;
}

/* The kernel sends: gather what may leave with the turn.  Nothing has moved then. */
static int conn_write_later(struct worker *w, struct conn *c)
{
	const struct body *body = c->body;

	if (!c->sending && c->nr_bodies && body->large && !c->flight) {
		if (!body->by_hand && body->at - c->out_pos <= KEVENT_SENDFILE_MAX_HEADER) {
			conn_start_sending(w, c);
			return 0;
		}
		if (c->writable && c->out_pos == body->at)
			return conn_write_body(w, c);
	}
	if (!c->sending && c->writable)
		conn_send_all(w, c);
	return 0;
}

static int conn_write(struct worker *w, struct conn *c)
{
	size_t len = c->out_end - c->out_pos;
	ssize_t n;

	if (c->failed)
		return -1;
	if (streams)
		return conn_write_later(w, c);
	if (!c->writable || (!len && !c->nr_bodies))
		return 0;
	if (!len)
		return conn_write_body(w, c);
	n = send(c->fd, c->out + c->out_pos, len,
		 MSG_NOSIGNAL | (c->nr_bodies ? MSG_MORE : 0));
	if (n < 0) {
		if (errno == EINTR)
			return 1;
		if (errno != EAGAIN)
			return -1;
		c->writable = false;
		return 0;
	}
	conn_moved(w, c, n);
	live_add(&w->live.sent, n);
	c->out_pos += n;
	if (c->out_pos == c->out_end) {
		c->out_pos = 0;
		c->out_end = 0;
	}
	return 1;
}

/* Between two requests, all answers sent. */
static bool conn_is_idle(const struct conn *c)
{
	return c->served && !c->closing && !c->skip && c->in_pos == c->in_end &&
	       !c->late_end;
}

/* One fair turn. */
static void conn_run(struct worker *w, struct conn *c)
{
	int i, in, answered, out;

	conn_unready(w, c);
	conn_land(w, c);
	for (i = 0; i < ROUNDS; i++) {
		in = conn_read(w, c);
		answered = conn_answer(w, c);
		out = conn_write(w, c);
		if (in < 0 || out < 0) {
			conn_close(w, c);
			return;
		}
		if (in || answered || out)
			continue;

		/* Nothing moves any more until the next record. */
		if (conn_waits(w, c))
			conn_ready(w, c);
		if (c->out_end || c->nr_bodies)
			return;
		if (c->eof || (w->stopping && conn_is_idle(c))) {
			conn_close(w, c);
		} else if (c->closing && !c->lingering) {
			/*
			 * To close with input unread would reset the connection
			 * and may destroy what we sent.  Wait for the client.
			 */
			c->lingering = true;
			if (shutdown(c->fd, SHUT_WR))
				conn_close(w, c);
		}
		return;
	}
	conn_ready(w, c);
}

/* Bytes of a record: parsed where they are, if nothing is before them. */
static void conn_input(struct worker *w, struct conn *c, char *bytes, size_t len)
{
	if (c->in_pos < c->in_end || c->late_end) {
		conn_ready(w, c);
	} else {
		c->in = bytes;
		c->in_pos = 0;
		c->in_end = len;
		conn_run(w, c);
		if (c->fd < 0)
			return;
		bytes = c->in + c->in_pos;
		len = c->in_end - c->in_pos;
		c->in = c->buf;
		c->in_pos = 0;
		c->in_end = 0;
	}
	if (!conn_keep(w, c, bytes, len))
		conn_close(w, c);
}

/* How far the file is, or that it is sent. */
static void conn_sendfile_record(struct worker *w, struct conn *c, const struct ukevent *ev)
{
	const bool last = ev->flags & KEVENT_REC_LAST;
	const __u64 moved = ev->data[0] - c->told;

	c->told = ev->data[0];
	live_add(&w->live.files, moved);
	if (last)
		live_add(&w->live.sent, KEVENT_SENDFILE_HEADER_SENT(ev->data[1]));
	if (c->fd >= 0) {
		conn_moved(w, c, moved);
		if (last) {
			c->sending = false;
			if (ev->events & KEVENT_SENDFILE_ERROR &&
			    KEVENT_SENDFILE_ERRNO(ev->data[1]) == EAGAIN) {
				/* Swapped out: sendfile() waits for that. */
				c->out_pos = c->out_before +
					     KEVENT_SENDFILE_HEADER_SENT(ev->data[1]);
				c->body[0].pos += ev->data[0];
				c->body[0].by_hand = true;
			} else {
				if (ev->events & (KEVENT_SENDFILE_ERROR |
						  KEVENT_SENDFILE_EOF))
					c->failed = true;
				conn_sent_body(c);
			}
			conn_ready(w, c);
		}
	}
	if (last)
		conn_put(w, c);
}

static void conn_record(struct worker *w, struct conn *c, const struct ukevent *ev)
{
	if (ukevent_has_bytes(ev)) {
		live_add(&w->live.received, ukevent_length(ev));
		conn_input(w, c, ukevent_bytes(&w->queue, ev),
			   ukevent_length(ev));
		return;
	}
	if (ev->events & KEVENT_STREAM_ERROR)
		c->failed = true;
	if (ev->events & (KEVENT_STREAM_RDHUP | KEVENT_STREAM_HUP))
		c->hangup = true;
	if (ev->events & (KEVENT_STREAM_SEND | KEVENT_STREAM_HUP))
		c->writable = true;
	conn_ready(w, c);
}

/*
 * A worker's turn.
 */

/* There will be one tick, in a second. */
static void worker_start_tick(struct worker *w)
{
	if (!w->ticking)
		w->ticking = !ukevent_op(&w->queue, KEVENT_OP_ENABLE,
					 KEVENT_TYPE_TIMER, NUMBER_TICK);
}

static void worker_tick(struct worker *w)
{
	struct conn *c;

	w->ticks++;
	w->ticking = false;
	while ((c = TAILQ_FIRST(&w->timed)) && c->deadline <= w->ticks)
		conn_close(w, c);
	w->accept |= w->accept_later;
	if (c)
		worker_start_tick(w);
}

/* Who looks and takes it has another time limit; who does not is closed by that. */
static void worker_live_tick(struct worker *w)
{
	struct conn *c;

	TAILQ_FOREACH(c, &w->looking, looks) {
		if (c->out_pos == c->out_end)
			conn_set_deadline(w, c);
		put_event(c);
		conn_ready(w, c);
	}
	if (TAILQ_EMPTY(&w->looking))
		worker_stop_live(w);
}

static void worker_load_ended(struct worker *w)
{
	int status = load_reap(w->load);

	w->load = -1;
	__atomic_store_n(&loading, false, __ATOMIC_RELAXED);
	if (status)
		fprintf(stderr, "http-server: the load ended with status %d\n", status);
}

static void worker_accept(struct worker *w)
{
	struct kevent_change change[ACCEPTS];
	struct conn *c;
	int fd, i, n = 0, done;

	for (i = 0; i < ACCEPTS; i++) {
		fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			/* No descriptors, no memory: the backlog can wait. */
			w->accept = false;
			w->accept_later = errno != EAGAIN;
			break;
		}
		c = conn_new(w, fd);
		if (!c) {
			close(fd);
			continue;
		}
		if (streams) {
			conn_change(c, &change[n++], KEVENT_OP_ADD,
				    KEVENT_STREAM_RECV);
			continue;
		}
		change[n++] = (struct kevent_change) {
			.op = KEVENT_OP_ADD,
			.type = KEVENT_TYPE_SOCKET,
			.flags = KEVENT_EDGE | KEVENT_WANT_LAST,
			.events = KEVENT_SOCK_RECV | KEVENT_SOCK_SEND |
				  KEVENT_SOCK_RDHUP,
			.ident = fd,
			.cookie = (uintptr_t)c,
		};
	}
	if (n || w->accept_later)
		worker_start_tick(w);
	if (!n)
		return;
	live_add(&w->live.accepted, n);
	done = sys_kevent_ctl(w->queue.fd, change, n, sizeof(change[0]), 0);
	for (i = 0; i < n; i++) {
		if (i < done && !change[i].result)
			continue;
		/* Not registered, so there will be no LAST. */
		c = (struct conn *)(uintptr_t)change[i].cookie;
		conn_close(w, c);
		conn_put(w, c);
	}
}

/* Also serve those who had no answer yet, in the listener's backlog or here. */
static void worker_stop(struct worker *w, bool at_once)
{
	struct conn *c;

	do
		worker_accept(w);
	while (w->accept);
	w->accept_later = false;
	shutdown(listener, SHUT_RD);	/* for all workers */
	w->stopping = true;
	while (at_once && (c = TAILQ_FIRST(&w->timed)))
		conn_close(w, c);
	TAILQ_FOREACH(c, &w->timed, timed) {
		c->readable = true;
		conn_ready(w, c);
	}
}

static void worker_record(struct worker *w, const struct ukevent *ev)
{
	struct conn *c = (struct conn *)(uintptr_t)ev->cookie;

	if (ev->type == KEVENT_TYPE_TIMER) {
		live_add(&w->live.timers, 1);
		if (ev->cookie == NUMBER_LIVE)
			worker_live_tick(w);
		else
			worker_tick(w);
	} else if (ev->type == KEVENT_TYPE_SIGNAL) {
		live_add(&w->live.signals, KEVENT_SIGNAL_COUNT(ev->data[0]));
		live_print();
	} else if (ev->type == KEVENT_TYPE_PROCESS) {
		live_add(&w->live.children, 1);
		worker_load_ended(w);
	} else if (ev->type == KEVENT_TYPE_USER) {
		worker_stop(w, w->stopping || ev->data[1] > 1);
	} else if (ev->cookie == COOKIE_LISTENER) {
		w->accept = !w->stopping;
	} else if (ev->type == KEVENT_TYPE_SENDFILE) {
		conn_sendfile_record(w, c, ev);
	} else if (ev->flags & KEVENT_REC_LAST) {
		conn_put(w, c);
	} else if (c->fd >= 0 && streams) {
		conn_record(w, c, ev);
	} else if (c->fd >= 0) {
		if (ev->events & (KEVENT_SOCK_RDHUP | KEVENT_SOCK_HUP |
				  KEVENT_SOCK_ERROR))
			c->hangup = true;
		if (ev->events & KEVENT_SOCK_RECV || c->hangup)
			c->readable = true;
		if (ev->events & (KEVENT_SOCK_SEND | KEVENT_SOCK_HUP |
				  KEVENT_SOCK_ERROR))
			c->writable = true;
		conn_ready(w, c);
	}
}

static void worker_turn(struct worker *w)
{
	bool busy = w->accept || !TAILQ_EMPTY(&w->ready);
	uint64_t timeout = busy ? 0 : UKEVENT_FOREVER;
	struct ukevent ev[BATCH];
	struct conn *c, *last;
	int i, n;

	w->turn++;
	live_ring(&w->live, &w->queue);
	n = streams ? ukevent_io_turn(&w->io, ev, BATCH, timeout) :
		      ukevent_dequeue_batch(&w->queue, ev, BATCH, timeout);
	if (n < 0 && n != -EINTR)
		die("kevent_wait", -n);
	if (n > 0)
		live_add(&w->live.records, n);
	while ((c = TAILQ_FIRST(&w->flying)))
		conn_land(w, c);
	for (i = 0; i < n; i++)
		worker_record(w, &ev[i]);

	if (w->accept)
		worker_accept(w);

	last = TAILQ_LAST(&w->ready, conn_list);
	for (c = NULL; c != last;) {
		c = TAILQ_FIRST(&w->ready);
		conn_run(w, c);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	while (!w->stopping || w->nr_conns)
		worker_turn(w);
	return NULL;
}

/*
 * Setting up.
 */

static void listen_on(const char *addr, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int one = 1;

	sin.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		die(addr, EINVAL);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  0);
	if (listener < 0)
		die("socket", errno);
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("setsockopt", errno);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)))
		die("bind", errno);
	if (listen(listener, SOMAXCONN))
		die("listen", errno);
}

static void worker_init(struct worker *w)
{
	struct kevent_params params = { .nr_expected = 1024 };
	int ret;

	TAILQ_INIT(&w->ready);
	TAILQ_INIT(&w->flying);
	TAILQ_INIT(&w->timed);
	TAILQ_INIT(&w->looking);
	w->load = -1;
	if (streams)
		params.flags = KEVENT_CREATE_SENDFILE;
	ret = streams ? ukevent_queue_init_data(&w->queue, &params) :
			ukevent_queue_init(&w->queue, &params);
	if (!ret && streams && !w->queue.data)
		ret = -EOPNOTSUPP;
	w->files = params.flags & KEVENT_CREATE_SENDFILE;
	if (ret < 0)
		die("kevent_create", -ret);
	ukevent_io_init(&w->io, &w->queue, conn_change_failed, conn_unsent);
	w->io.loop.data = w;
	ret = ukevent_add_socket(&w->queue, listener, KEVENT_SOCK_ACCEPT,
				 KEVENT_EDGE | KEVENT_EXCLUSIVE,
				 COOKIE_LISTENER);
	/* Dispatch: each ENABLE gives one tick. */
	if (!ret)
		ret = ukevent_set_timer(&w->queue, KEVENT_OP_ADD, NUMBER_TICK,
					TICK, 0, CLOCK_MONOTONIC,
					KEVENT_DISPATCH | KEVENT_START_DISABLED,
					NUMBER_TICK);
	if (!ret)
		ret = ukevent_add(&w->queue, KEVENT_TYPE_USER, NUMBER_STOP,
				  KEVENT_USER_TRIGGERED, 0, 0);
	/* A process may have few of these: one thread tells for all. */
	if (!ret && w == workers)
		ret = ukevent_add(&w->queue, KEVENT_TYPE_SIGNAL, SIGUSR1,
				  KEVENT_SIGNAL_SENT, 0, 0);
	if (ret < 0)
		die("kevent_ctl", -ret);
}

/* In whatever thread it runs: a trigger is no more than a system call. */
static void on_signal(int sig)
{
	int i, saved = errno;

	(void)sig;
	for (i = 0; i < nr_workers; i++)
		ukevent_trigger(&workers[i].queue, NUMBER_STOP, 0);
	errno = saved;
}

static long number(int option, long max)
{
	char *end;
	long n = strtol(optarg, &end, 10);

	if (*end || n < 1 || n > max) {
		fprintf(stderr, "http-server: -%c must be 1 to %ld\n", option,
			max);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stream", no_argument, NULL, 's' }, {},
	};
	struct live_thread *all;
	const char *root = ".";
	struct worker *w;
	int opt, i, err;

	if (argc == 4 && !strcmp(argv[1], "--load"))	/* by load_start() */
		return load_main(argv[2], argv[3]);
	while ((opt = getopt_long(argc, argv, "p:a:r:t:T:", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			streams = true;
			break;
		case 'p':
			listen_port = number(opt, 65535);
			break;
		case 'a':
			listen_addr = optarg;
			break;
		case 'r':
			root = optarg;
			break;
		case 't':
			nr_workers = number(opt, 1024);
			break;
		case 'T':
			time_limit = number(opt, 86400);
			break;
		default:
			optind = argc + 1;
		}
	}
	if (optind != argc) {
		fprintf(stderr,
			"usage: http-server [--stream] [-p PORT] [-a ADDRESS] [-r ROOT] [-t THREADS] [-T TIMEOUT]\n");
		return 2;
	}

	/* sendfile() has no MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		die(root, errno);
	listen_on(listen_addr, listen_port);
	workers = aligned_alloc(__alignof__(*workers), nr_workers * sizeof(*workers));
	all = calloc(nr_workers, sizeof(*all));
	if (!workers || !all)
		die("start", errno);
	memset(workers, 0, nr_workers * sizeof(*workers));
	for (i = 0; i < nr_workers; i++) {
		worker_init(&workers[i]);
		all[i].live = &workers[i].live;
		all[i].queue = &workers[i].queue;
	}
	live_init(all, nr_workers, workers[0].files ? "stream, files" :
		  streams ? "stream" : "readiness");
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	for (i = 0; i < nr_workers; i++) {
		err = pthread_create(&workers[i].thread, NULL, worker_main,
				     &workers[i]);
		if (err)
			die("pthread_create", err);
	}
	printf("http-server: %s on port %d, %d thread%s%s\n", root, listen_port,
	       nr_workers, nr_workers > 1 ? "s" : "",
	       workers[0].files ? ", the kernel receives and sends, files as well" :
	       streams ? ", the kernel receives and sends" : "");
	fflush(stdout);

	for (w = workers; w < workers + nr_workers; w++) {
		pthread_join(w->thread, NULL);
		printf("http-server: worker %d: %llu answers on %llu connections\n",
		       (int)(w - workers) + 1, (unsigned long long)w->live.answers,
		       (unsigned long long)w->live.accepted);
	}
	return 0;
}
