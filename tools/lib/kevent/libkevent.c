// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent.c - the functions of the headers as symbols
 *
 * For languages that cannot include them; ukevent_text.c has what is not in line.
 */
#include <stddef.h>
#include <stdint.h>

#define UKEVENT_INLINE

#include "ukevent_data.h"

/*
 * Programs have these structs in their own memory: with another size the library needs
 * another number in its name (MAJOR in the Makefile).
 */
#ifdef __LP64__
#define SIZE(wide, narrow)	(wide)
#else
#define SIZE(wide, narrow)	(narrow)
#endif
_Static_assert(sizeof(struct ukevent_queue) == SIZE(120, 72), "ABI of struct ukevent_queue");
_Static_assert(sizeof(struct ukevent_loop) ==
	       SIZE(48, 32) + UKEVENT_GATHERED * sizeof(struct kevent_change),
	       "ABI of struct ukevent_loop");
_Static_assert(sizeof(struct ukevent_io) ==
	       sizeof(struct ukevent_loop) + 32 +
	       UKEVENT_GATHERED * (sizeof(struct kevent_send) + sizeof(uint64_t)),
	       "ABI of struct ukevent_io");
