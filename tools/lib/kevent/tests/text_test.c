// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * text_test.c - has everything in the kernel's header a name, and what do errors say?
 *
 * names.h is what names.awk makes of it.  With the argument "errors" prints which errors of
 * which call have a text of their own, for check.sh to compare with the manual pages.
 */
#define _GNU_SOURCE	/* POLLRDHUP */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "ukevent_text.h"

static int failed;

static void expect(const char *what, const char *expected, const char *got)
{
	if (!strcmp(expected, got))
		return;
	fprintf(stderr, "%s: \"%s\" instead of \"%s\"\n", what, got, expected);
	failed = 1;
}

static void event(unsigned int type, const char *name, uint32_t value)
{
	char buf[64];

	ukevent_event_names(buf, sizeof(buf), type, value);
	expect("event", name, buf);
}

static void flag(int (*names)(char *, size_t, uint32_t), const char *name, uint32_t value)
{
	char buf[64];

	names(buf, sizeof(buf), value);
	expect("flag", name, buf);
}

#define TYPE(name, value)		expect("type", #name, ukevent_type_name(value));
#define OP(name, value)			expect("op", #name, ukevent_op_name(value));
#define EVENT(type, name, value)	event(KEVENT_TYPE_##type, #name, value);
#define CHANGE_FLAG(name, value)	flag(ukevent_change_flag_names, #name, value);
#define RECORD_FLAG(name, value)	flag(ukevent_record_flag_names, #name, value);

static void all_names(void)
{
#include "names.h"
	/* These are poll(2)'s. */
	EVENT(POLL, IN, POLLIN)
	EVENT(POLL, PRI, POLLPRI)
	EVENT(POLL, OUT, POLLOUT)
	EVENT(POLL, ERR, POLLERR)
	EVENT(POLL, HUP, POLLHUP)
	EVENT(POLL, NVAL, POLLNVAL)
	EVENT(POLL, RDNORM, POLLRDNORM)
	EVENT(POLL, RDBAND, POLLRDBAND)
	EVENT(POLL, WRNORM, POLLWRNORM)
	EVENT(POLL, WRBAND, POLLWRBAND)
	EVENT(POLL, MSG, POLLMSG)
	EVENT(POLL, RDHUP, POLLRDHUP)
}

/* What fits, what is cut off, what has no name. */
static void lengths(void)
{
	static const struct {
		uint32_t	events;
		size_t		size;
		const char	*text;
		int		len;
	} cases[] = {
		{ KEVENT_SOCK_RECV | KEVENT_SOCK_RDHUP, 32, "RECV|RDHUP", 10 },
		{ KEVENT_SOCK_RECV | KEVENT_SOCK_RDHUP, 11, "RECV|RDHUP", 10 },
		{ KEVENT_SOCK_RECV | KEVENT_SOCK_RDHUP, 10, "RECV|RDHU", 10 },
		{ KEVENT_SOCK_RECV | KEVENT_SOCK_RDHUP, 1, "", 10 },
		{ KEVENT_SOCK_RECV | KEVENT_SOCK_RDHUP, 0, "~~~", 10 },
		{ 0, 32, "0", 1 },
		{ 0x40000000, 32, "0x40000000", 10 },
		{ KEVENT_SOCK_RECV | 0x40000000, 32, "RECV|0x40000000", 15 },
		{ KEVENT_SOCK_RECV | 0x40000000, 7, "RECV|0", 15 },
	};
	char buf[32], len[16], want[16];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(buf, '~', sizeof(buf));
		buf[3 + cases[i].size] = 0;
		snprintf(len, sizeof(len), "%d",
			 ukevent_event_names(buf, cases[i].size, KEVENT_TYPE_SOCKET,
					     cases[i].events));
		snprintf(want, sizeof(want), "%d", cases[i].len);
		expect("length", want, len);
		expect("text", cases[i].text, buf);
	}
	ukevent_event_names(buf, sizeof(buf), 999, 5);
	expect("event of no type", "0x5", buf);
	expect("type 0", "?", ukevent_type_name(0));
	expect("type 999", "?", ukevent_type_name(999));
	expect("op 0", "?", ukevent_op_name(0));
	expect("op 999", "?", ukevent_op_name(999));
}

static void meanings(void)
{
	struct kevent_change change;
	struct kevent_send send;

	memset(&change, 0, sizeof(change));
	memset(&send, 0, sizeof(send));
	expect("no error", "no error", ukevent_change_error(&change));
	change.type = KEVENT_TYPE_POLL;
	change.result = -EPERM;
	expect("EPERM of POLL", "the file cannot be polled", ukevent_change_error(&change));
	change.type = KEVENT_TYPE_PROCESS;
	expect("EPERM of PROCESS", "no right to read the state of that process",
	       ukevent_change_error(&change));
	change.type = 999;
	expect("EPERM of no type", strerror(EPERM), ukevent_change_error(&change));
	send.result = 3;
	expect("bytes", "no error", ukevent_send_error(&send));
	send.result = -EBUSY;
	expect("EBUSY of a send", "an interest sends a file on the socket",
	       ukevent_send_error(&send));
	expect("positive", ukevent_strerror(UKEVENT_CREATE, -EPERM),
	       ukevent_strerror(UKEVENT_CREATE, EPERM));
	expect("another's error", strerror(EISDIR), ukevent_strerror(UKEVENT_CREATE, -EISDIR));
	expect("no call", strerror(EPERM), ukevent_strerror(0, -EPERM));
	expect("no call", strerror(EPERM), ukevent_strerror(100, -EPERM));
}

/* The errors that the calls and entries explain, by the names of errno(1)'s numbers. */
static void print_errors(void)
{
	static const char *const where[] = {
		[UKEVENT_CREATE] = "create", [UKEVENT_CTL] = "ctl", [UKEVENT_WAIT] = "wait",
		[UKEVENT_SEND] = "send", [UKEVENT_MMAP] = "mmap",
	};
	struct kevent_change change;
	struct kevent_send send;
	unsigned int w, type;
	int error;

	memset(&change, 0, sizeof(change));
	memset(&send, 0, sizeof(send));
	for (error = 1; error < 134; error++) {
		for (w = UKEVENT_CREATE; w <= UKEVENT_MMAP; w++)
			if (strcmp(ukevent_strerror(w, error), strerror(error)))
				printf("%s %d\n", where[w], error);
		change.result = -error;
		for (type = 1; type <= KEVENT_TYPE_SENDFILE; type++) {
			change.type = type;
			if (strcmp(ukevent_change_error(&change), strerror(error)))
				break;
		}
		if (type <= KEVENT_TYPE_SENDFILE)
			printf("change %d\n", error);
		send.result = -error;
		if (strcmp(ukevent_send_error(&send), strerror(error)))
			printf("of_send %d\n", error);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "errors")) {
		print_errors();
		return 0;
	}
	all_names();
	lengths();
	meanings();
	return failed;
}
