/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef _ECHO_STREAM_H
#define _ECHO_STREAM_H

void die(const char *what, int err);

/* Serve the connections of @listener; does not return. */
void echo_stream(int listener);

#endif
