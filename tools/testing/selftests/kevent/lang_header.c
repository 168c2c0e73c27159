/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's header in strict C90 and C++98: no comments of the other kind. */
#include <linux/kevent.h>
#include "lang.h"

LANG_EXPORT __u64 LANG_NAME(header)(void);

__u64 LANG_NAME(header)(void)
{
	struct kevent_change change;
	struct kevent_params params;
	struct kevent_wait_args args;
	struct kevent_send send;
	struct ukevent record;
	__u64 data0 = 3;

	change.flags = KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH |
		       KEVENT_WANT_LAST | KEVENT_START_DISABLED |
		       KEVENT_HOLD_LAST | KEVENT_BY_ID | KEVENT_EXCLUSIVE |
		       KEVENT_ABSTIME | KEVENT_ACK | KEVENT_NO_LAST |
		       KEVENT_DEPENDS | KEVENT_HINTS | KEVENT_LATE;
	change.param[KEVENT_TIMER_CLOCK] = KEVENT_TIMER_MIN_PERIOD;
	params.features = KEVENT_FEAT_LAST | KEVENT_FEAT_MIN_WAIT |
			  KEVENT_FEAT_CHANGES | KEVENT_FEAT_HOLD_LAST |
			  KEVENT_FEAT_DEPENDS | KEVENT_FEAT_EXCLUSIVE |
			  KEVENT_FEAT_QUERY | KEVENT_FEAT_HINTS |
			  KEVENT_FEAT_DATA | KEVENT_FEAT_SEND;
	args.flags = KEVENT_WAIT_TIMEOUT | KEVENT_WAIT_ABSTIME;
	record.flags = KEVENT_REC_LAST | KEVENT_REC_ERROR;
	record.events = KEVENT_SOCK_RECV | KEVENT_INODE_MOVE |
			KEVENT_PROCESS_EXITED | KEVENT_SIGNAL_SENT |
			KEVENT_USER_TRIGGERED | KEVENT_TIMER_EXPIRED |
			KEVENT_STREAM_RECV | KEVENT_STREAM_RDHUP;
	send.flags = KEVENT_SEND_MORE | KEVENT_SEND_FILE;
	return params.features + change.flags + args.flags + record.flags +
	       record.events + change.param[KEVENT_TIMER_CLOCK] +
	       KEVENT_SIGNAL_COUNT(data0) + KEVENT_SIGNAL_SENDER(data0) +
	       KEVENT_STREAM_OFFSET(data0) + KEVENT_STREAM_LENGTH(data0) +
	       KEVENT_STREAM_RELEASE(data0) + KEVENT_STREAM_POSITION(data0) +
	       KEVENT_MAX_DATA_SIZE + KEVENT_MAX_SENDS + send.flags +
	       KEVENT_MAX_ENTRIES + KEVENT_RING_PENDING + KEVENT_RING_LEVEL;
}
